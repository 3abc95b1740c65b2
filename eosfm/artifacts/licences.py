"""What the licences of the training data allow, as far as their wording says."""

from dataclasses import dataclass

COMMERCIAL = {
    "ai4smallfarms": True,
    "bigearthnet": True,
    "biomassters": True,
    "caffe": True,
    "cloud_cover": True,
    "crop_type_south_sudan": None,
    "deepglobe_lcc": False,
    "dfc2022": False,
    "dior": False,
    "dynamic_earthnet": True,
    "etci2021": None,
    "eurosat": True,
    "firerisk": False,
    "five_billion_pixels": False,
    "hls_burn_scars": True,
    "inria_aerial": False,
    "kenya_croptype": True,
    "landcoverai": False,
    "levircdplus": False,
    "loveda": False,
    "mados": True,
    "minifrance": False,
    "opencanopy": True,
    "oscd": False,
    "pastis": True,
    "potsdam": False,
    "sen12ms": True,
    "sen1floods11": None,
    "spacenet7": True,
    "spacenet7_change": True,
    "xview2": False,
}
"""By dataset: whether its licence allows commercial use; None where the publisher does not say.

Read from ``source.licence`` of each dataset: NC and research-only terms say no; MIT, CDLA, Etalab,
CC BY and CC BY-SA say yes, under their own conditions.
"""

WORDS = {True: "yes", False: "no", None: "ask"}
"""How the answers are shown."""


def allows_commerce(licence: str | None) -> bool | None:
    """Whether weights may be used commercially, by the short name of their licence.

    Args:
        licence: ``cc-by-nc-4.0`` for instance.

    Returns:
        None where it is not told, or of no known name.
    """
    words = (licence or "").lower().split("-")
    if "nc" in words:
        return False
    return True if words[0] in ("apache", "mit", "bsd", "cc", "cc0") else None


@dataclass(frozen=True)
class TrainingData:
    """A dataset that specialists were trained on.

    Attributes:
        name: As the artifact gives it.
        title: Name that its authors use; None, as all that follows, where it is not of the
            catalogue.
        licence: As its publisher states it.
        commercial: Whether that allows commercial use; None where it is not known.
        homepage: The page a person reads.
        citation: In one line.
    """

    name: str
    title: str | None = None
    licence: str | None = None
    commercial: bool | None = None
    homepage: str | None = None
    citation: str | None = None


def training_data(name: str) -> TrainingData:
    """What the catalogue knows of a dataset."""
    from eosfm.datasets import DATASETS, get_dataset

    if name not in DATASETS:
        return TrainingData(name)
    dataset = get_dataset(name)
    source = dataset.source
    return TrainingData(
        name, dataset.title, source.licence, COMMERCIAL[name], source.homepage, source.citation
    )
