"""How large the archives are, as this project's readers split them.

A simulated dataset's size is in params.yaml; an archive's must be known before it is downloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split


@dataclass(frozen=True)
class ArchiveFacts:
    """One archive.

    Attributes:
        train: Scenes of the training split.
        val: Of the validation split.
        test: Of the test split.
        height: Of a scene in pixels; the mean where they differ.
        width: Likewise.
        source: Publication or page that states the numbers.
        dates: Images of a scene.
        about: Whether counts or sizes are rounded: some splits are drawn by hashes of names, and
            some archives have scenes of many sizes.
        simulated_dates: Images of a simulated scene, where they are fewer.
        sizes: Scenes by split, height and width, where those of a copy were looked at.
    """

    train: int
    val: int
    test: int
    height: int
    width: int
    source: str
    dates: int = 1
    about: bool = False
    simulated_dates: int | None = None
    sizes: Mapping[tuple[Split, int, int], int] = field(default_factory=dict, hash=False)


_TORCHGEO = "torchgeo's documentation of the dataset"
_PASTIS = "Sainte Fare Garnot, Landrieu 2021 (arXiv 2107.07933): 2,433 patches in five folds"

ARCHIVES = {
    "ai4smallfarms": ArchiveFacts(
        43, 10, 9, 500, 500, "Persello et al. 2023: 62 tiles of about 5 km at 10 m", about=True
    ),
    "bigearthnet": ArchiveFacts(
        237_871, 122_342, 119_825, 120, 120, "Clasen et al. 2024 (arXiv 2407.03653)"
    ),
    "biomassters": ArchiveFacts(
        6_951, 1_738, 2_773, 256, 256,
        "Nascetti et al. 2023: 8,689 training chips, of which a fifth validates, 2,773 test chips",
        dates=12, about=True,
    ),
    "caffe": ArchiveFacts(13_090, 2_241, 3_761, 512, 512, _TORCHGEO),
    "cloud_cover": ArchiveFacts(
        10_573, 1_175, 10_980, 512, 512,
        f"{_TORCHGEO}: 11,748 training chips, of which a tenth validates, 10,980 test chips",
        about=True,
    ),
    "crop_type_south_sudan": ArchiveFacts(
        670, 84, 83, 64, 64, "SustainBench (arXiv 2111.04724): 837 chips; shares of its splits",
        dates=6, about=True,
    ),
    "deepglobe_lcc": ArchiveFacts(
        505, 56, 242, 2_448, 2_448, "Demir et al. 2018 (arXiv 1805.06561): 803 labelled scenes",
        about=True,
    ),
    "dfc2022": ArchiveFacts(
        433, 167, 166, 2_000, 2_000,
        "page of the contest: 766 labelled images; half of those of Nice validate", about=True,
    ),
    "dior": ArchiveFacts(5_862, 5_863, 0, 800, 800, "Li et al. 2020 (arXiv 1909.00133)"),
    "dynamic_earthnet": ArchiveFacts(
        1_272, 240, 240, 1_024, 1_024,
        "lists of the authors (Toker et al. 2022): 53, 10 and 10 areas of 24 months", dates=6,
    ),
    "etci2021": ArchiveFacts(
        27_000, 6_400, 10_400, 256, 256,
        f"{_TORCHGEO}: 33,405 tiles of three regions and 10,400 of Florence", about=True,
    ),
    "eurosat": ArchiveFacts(
        16_200, 5_400, 5_400, 64, 64, "Neumann et al. 2019 (arXiv 1911.06721)"
    ),
    "firerisk": ArchiveFacts(
        63_300, 21_541, 7_031, 320, 320,
        "Shen et al. 2023 (arXiv 2303.07035): 70,331 for training, of which a tenth tests, 21,541 "
        "for validation", about=True,
    ),
    "five_billion_pixels": ArchiveFacts(
        108, 12, 30, 6_800, 7_200,
        "Tong et al. 2023 (arXiv 2209.00727): 120 training scenes, of which a tenth validates, 30 "
        "test scenes", about=True,
    ),
    "hls_burn_scars": ArchiveFacts(
        475, 65, 264, 512, 512, "its page at Hugging Face: 540 and 264 scenes; 12 % validate",
        about=True,
    ),
    "inria_aerial": ArchiveFacts(
        130, 25, 25, 5_000, 5_000, "Maggiori et al. 2017: 36 images of each of five cities"
    ),
    "kenya_croptype": ArchiveFacts(
        54, 14, 14, 505, 504,
        f"{_TORCHGEO}: four tiles of 3,035 x 2,016 pixels; blocks without a crop are left out",
        dates=13, about=True, simulated_dates=4,
    ),
    "landcoverai": ArchiveFacts(
        7_470, 1_602, 1_602, 512, 512, "Boguszewski et al. 2021 (arXiv 2005.02264)"
    ),
    "levircdplus": ArchiveFacts(
        573, 64, 348, 1_024, 1_024, "Shen et al. 2021 (arXiv 2107.09244): 637 and 348 pairs",
        dates=2, about=True,
    ),
    "loveda": ArchiveFacts(2_522, 1_669, 0, 1_024, 1_024, "Wang et al. 2021 (arXiv 2110.08733)"),
    "mados": ArchiveFacts(
        1_433, 683, 687, 240, 240, "Kikaki et al. 2024: 2,803 patches", about=True
    ),
    "minifrance": ArchiveFacts(
        180, 100, 600, 10_000, 10_000,
        "Castillo-Navarro et al. 2021 (arXiv 2010.07830): over 2,000 images, 200 billion pixels; "
        "shares of the conurbations by their area",
        about=True,
    ),
    "opencanopy": ArchiveFacts(
        66_339, 7_369, 13_675, 666, 666, "Fogel et al. 2025 (arXiv 2407.09392): km2 of its splits",
        about=True,
    ),
    "oscd": ArchiveFacts(
        11, 3, 10, 600, 600, "Daudt et al. 2018 (arXiv 1810.08468): about 600 x 600", dates=2,
        about=True,
    ),
    "pastis": ArchiveFacts(1_455, 482, 496, 128, 128, _PASTIS, dates=6),
    "potsdam": ArchiveFacts(20, 4, 14, 6_000, 6_000, "page of the ISPRS benchmark: 38 tiles"),
    "sen12ms": ArchiveFacts(
        146_045, 16_510, 18_106, 256, 256,
        "lists of the authors (Schmitt, Wu 2021): 162,555 and 18,106 patches", about=True,
    ),
    "sen1floods11": ArchiveFacts(
        252, 89, 90, 512, 512, "Bonafilia et al. 2020: hand-labelled chips"
    ),
    "spacenet7": ArchiveFacts(
        704, 352, 329, 1_024, 1_024,
        "Van Etten et al. 2021 (arXiv 2102.04420): 59 areas of about 24 months", about=True,
    ),
    "spacenet7_change": ArchiveFacts(
        60, 15, 14, 1_024, 1_024, "the areas of spacenet7, two pairs to train on", dates=2
    ),
    "xview2": ArchiveFacts(
        8_251, 917, 933, 1_024, 1_024,
        "Gupta et al. 2019 (arXiv 1911.09296): 2,799, 6,369 and 933 pairs; a tenth of the first "
        "two validates", dates=2, about=True,
    ),
}  # fmt: skip
"""By reader."""


def archive_facts(reader: str) -> ArchiveFacts:
    """An archive's size.

    Raises:
        EosfmError: The table has none.
    """
    if reader not in ARCHIVES:
        raise EosfmError(
            f"the plan knows no size of dataset {reader!r}; add it to eosfm/planning/facts.py, or "
            f"give the root of a copy, whose scenes are counted ({suggest(reader, list(ARCHIVES))})"
        )
    return ARCHIVES[reader]
