"""SEN12MS: Sentinel-1 and Sentinel-2 patches of the whole Earth with MODIS land cover."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.bands import S2_BANDS
from eosfm.core.splits import Split
from eosfm.datasets.native.holdout import hold_out
from eosfm.datasets.native.listing import read_lists
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source
from eosfm.datasets.native.values import in_range

NAME = "sen12ms"
# B8A follows B08 in the files, as it does in wavelength.
BANDS = ("vv", "vh", *S2_BANDS)
CLASSES = (
    "None", "Forest", "Shrubland", "Savanna", "Grassland", "Wetlands", "Croplands",
    "Urban/Built-up", "Snow/Ice", "Barren", "Water",
)  # fmt: skip
SIMPLIFIED = (0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 6, 8, 9, 10)
"""IGBP class (the index, 1 to 17; 0 is not used) in the simplified scheme of the authors' contest
of 2020 (DFC2020)."""
UNCLASSIFIED = 255
HELD_OUT = 26 / 256
"""Share of the training scenes that validate."""
LISTS = (
    "https://raw.githubusercontent.com/schmitt-muc/SEN12MS/"
    "3a41236a28d08d253ebe2fa1a081e5e32aa7eab4/splits"
)
ARCHIVES = "https://dataserv.ub.tum.de/s/m1474000/download?path=%2F&files="
"""Torchgeo knows names and checksums, not addresses."""


class Patch(NamedTuple):
    """What a file name of this dataset says."""

    season: str
    scene: int
    number: int

    @property
    def place(self) -> str:
        """The scene that the patch was cut from; neighbours share it."""
        return f"{self.season}_{self.scene}"

    def path(self, root: Path, source: str) -> Path:
        """The patch's file of one source: ``s1``, ``s2`` or ``lc``."""
        folder = f"{source}_{self.scene}"
        return root / self.season / folder / f"{self.season}_{folder}_p{self.number}.tif"


def split_of(official: str, place: str) -> Split:
    """The split of a scene of one of the official lists.

    Neighbouring patches overlap by half, so whole scenes are held out.
    """
    return "test" if official == "test" else hold_out(f"{NAME} {place}", HELD_OUT, test=0)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every patch of the official lists, in their order."""
    lists = {official: root / f"{official}_list.txt" for official in ("train", "test")}
    pattern = r"(ROIs\d+_[a-z]+)_(?:s1|s2|lc)_(\d+)_p(\d+)\.tif"
    expected = "patches ROIs<seed>_<season>_s2_<scene>_p<patch>.tif"
    for official, line in read_lists(lists, pattern, expected):
        patch = Patch(line[1], int(line[2]), int(line[3]))
        s1 = Part(patch.path(root, "s1"), 2)
        s2 = Part(patch.path(root, "s2"), len(S2_BANDS), dtype="uint16")
        cover = Part(patch.path(root, "lc"), 4, _simplify)
        id, split = f"{patch.place}_p{patch.number}", split_of(official, patch.place)
        yield raster_scene(id, split, [s1, s2], cover, grid=s2)


def _simplify(pixels: np.ndarray, path: Path) -> np.ndarray:
    igbp = np.where(pixels[:1] == UNCLASSIFIED, 0, pixels[:1])
    in_range(igbp, path, 0, len(SIMPLIFIED) - 1, "IGBP classes 1 to 17 in the first band")
    return np.array(SIMPLIFIED, np.uint8)[igbp]


def archives() -> tuple[Archive, ...]:
    """The published archives, and the lists from the authors' repository."""
    from torchgeo.datasets import SEN12MS

    return tuple(
        Archive(f"{LISTS}/{name}", name, f"md5:{md5}", extract=None)
        if name.endswith(".txt")
        else Archive(f"{ARCHIVES}{name}", name, f"md5:{md5}")
        for name, md5 in zip(SEN12MS.filenames, SEN12MS.md5s, strict=True)
    )


DATASET = Dataset(
    name=NAME,
    title="SEN12MS",
    kind="segmentation",
    bands=BANDS,
    units=("db", "db", *("reflectance_1e4",) * len(S2_BANDS)),
    dtype="float32",
    groups=(BandGroup(BANDS[:2], "float32"), BandGroup(S2_BANDS, "uint16")),
    classes=CLASSES,
    gsd=10.0,
    ignore_index=0,
    split_rule="official train and test lists; about a tenth of the training scenes, chosen by "
    "a hash of the scene's name, is held out for validation",
    source=Source(
        homepage="https://mediatum.ub.tum.de/1474000",
        licence="CC BY 4.0",
        commercial=True,
        citation="Schmitt, Hughes, Qiu, Zhu: SEN12MS - A Curated Dataset of Georeferenced "
        "Multi-Spectral Sentinel-1/2 Imagery for Deep Learning and Data Fusion, ISPRS Annals "
        "2019, doi:10.5194/isprs-annals-IV-2-W7-153-2019",
        size_gb=500.0,
        archives=archives,
    ),
    reader=scenes,
)
