"""What the licences of the training data allow, as far as their wording says."""

from dataclasses import dataclass

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


def training_data(name: str, reader: str | None = None) -> TrainingData:
    """What the catalogue knows of a dataset, or of the one that it is a copy of."""
    from eosfm.datasets import DATASETS, get_dataset

    known = reader or name
    if known not in DATASETS:
        return TrainingData(name)
    dataset = get_dataset(known)
    source = dataset.source
    return TrainingData(
        name, dataset.title, source.licence, source.commercial, source.homepage, source.citation
    )
