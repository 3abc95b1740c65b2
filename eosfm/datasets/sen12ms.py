"""SEN12MS: Sentinel-1 and Sentinel-2 patches of the whole Earth with MODIS land cover."""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

# B8A follows B08 in the files, as it does in wavelength.
BANDS = ("vv", "vh", *S2_BANDS)

CLASSES = (
    "None",
    "Forest",
    "Shrubland",
    "Savanna",
    "Grassland",
    "Wetlands",
    "Croplands",
    "Urban/Built-up",
    "Snow/Ice",
    "Barren",
    "Water",
)

# IGBP class (the index, 1 to 17) to the simplified scheme of the SEN12MS authors' 2020 contest
# (DFC2020). 255 is IGBP's "unclassified"; 0 is not used by IGBP.
SIMPLIFIED = (0, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 6, 8, 9, 10)
UNCLASSIFIED = 255


LISTS = (
    "https://raw.githubusercontent.com/schmitt-muc/SEN12MS/"
    "3a41236a28d08d253ebe2fa1a081e5e32aa7eab4/splits"
)
ARCHIVES = (
    ("ROIs1158_spring_lc.tar.gz", "6e2e8fa8b8cba77ddab49fd20ff5c37b"),
    ("ROIs1158_spring_s1.tar.gz", "fba019bb27a08c1db96b31f718c34d79"),
    ("ROIs1158_spring_s2.tar.gz", "d58af2c15a16f376eb3308dc9b685af2"),
    ("ROIs1868_summer_lc.tar.gz", "2c5bd80244440b6f9d54957c6b1f23d4"),
    ("ROIs1868_summer_s1.tar.gz", "01044b7f58d33570c6b57fec28a3d449"),
    ("ROIs1868_summer_s2.tar.gz", "4dbaf72ecb704a4794036fe691427ff3"),
    ("ROIs1970_fall_lc.tar.gz", "9b126a68b0e3af260071b3139cb57cee"),
    ("ROIs1970_fall_s1.tar.gz", "19132e0aab9d4d6862fd42e8e6760847"),
    ("ROIs1970_fall_s2.tar.gz", "b8f117818878da86b5f5e06400eb1866"),
    ("ROIs2017_winter_lc.tar.gz", "0fa0420ef7bcfe4387c7e6fe226dc728"),
    ("ROIs2017_winter_s1.tar.gz", "bb8cbfc16b95a4f054a3d5380e0130ed"),
    ("ROIs2017_winter_s2.tar.gz", "3807545661288dcca312c9c538537b63"),
)

PATCH = re.compile(r"(ROIs\d+_[a-z]+)_(?:s1|s2|lc)_(\d+)_p(\d+)\.tif")


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


def held_out(place: str) -> bool:
    """Whether a scene of the official training list is our validation: about one in ten.

    Neighbouring patches overlap by half, so whole scenes are held out. The choice depends on the
    scene's name alone: every copy, whole or partial, has the same split.
    """
    return hashlib.sha256(f"sen12ms {place}".encode()).digest()[0] < 26


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every patch of the official lists, in their order.

    Raises:
        EosfmError: A list or a patch is not where the layout has it, or a patch is in both lists.
    """
    seen: set[Patch] = set()
    for official in ("train", "test"):
        listing = root / f"{official}_list.txt"
        require(listing, "sen12ms", f"the names of the official {official} patches")
        for line in listing.read_text().split():
            patch = _parse(line, listing)
            if patch in seen:
                raise EosfmError(f"{listing} names {line} a second time; fetch the lists again")
            seen.add(patch)
            yield _scene(root, patch, _split(official, patch))


def _parse(name: str, listing: Path) -> Patch:
    match = PATCH.fullmatch(name)
    if not match:
        raise EosfmError(
            f"{listing} names {name!r}; expected ROIs<seed>_<season>_s2_<scene>_p<patch>.tif; "
            "fetch the list again"
        )
    return Patch(match[1], int(match[2]), int(match[3]))


def _split(official: str, patch: Patch) -> Split:
    if official == "test":
        return "test"
    return "val" if held_out(patch.place) else "train"


def _scene(root: Path, patch: Patch, split: Split) -> Scene:
    files = tuple(
        require(patch.path(root, source), "sen12ms", f"the {source} file of a listed patch")
        for source in ("s1", "s2", "lc")
    )
    height, width, crs, transform = read_header(files[1], len(S2_BANDS), "uint16")
    return Scene(
        id=f"{patch.place}_p{patch.number}",
        split=split,
        height=height,
        width=width,
        files=files,
        image=partial(_image, files[0], files[1], (height, width)),
        target=partial(_target, files[2], (height, width)),
        crs=crs,
        transform=transform,
    )


def _image(s1: Path, s2: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    parts = (read_bands(s1, window, 2, size), read_bands(s2, window, len(S2_BANDS), size))
    return np.concatenate(parts, dtype=np.float32)[None]


def _target(lc: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    igbp = read_bands(lc, window, 4, size)[0]
    unknown = igbp[(igbp >= len(SIMPLIFIED)) & (igbp != UNCLASSIFIED)]
    if unknown.size:
        raise EosfmError(
            f"{lc} holds land cover {unknown[0]}; expected IGBP classes 1 to 17 in its first "
            "band; fetch the file again"
        )
    classes = np.zeros(UNCLASSIFIED + 1, dtype=np.uint8)
    classes[: len(SIMPLIFIED)] = SIMPLIFIED
    return classes[igbp]


DATASET = Dataset(
    name="sen12ms",
    title="SEN12MS",
    kind="segmentation",
    bands=BANDS,
    units=("db", "db", *("reflectance_1e4",) * len(S2_BANDS)),
    # The smallest type that holds both uint16 reflectances and decibels without loss.
    dtype="float32",
    classes=CLASSES,
    gsd=10.0,
    ignore_index=0,
    split_rule="official train and test lists; about a tenth of the training scenes, chosen by "
    "a hash of the scene's name, is held out for validation",
    source=Source(
        homepage="https://mediatum.ub.tum.de/1474000",
        licence="CC BY 4.0",
        citation="Schmitt, Hughes, Qiu, Zhu: SEN12MS - A Curated Dataset of Georeferenced "
        "Multi-Spectral Sentinel-1/2 Imagery for Deep Learning and Data Fusion, ISPRS Annals "
        "2019, doi:10.5194/isprs-annals-IV-2-W7-153-2019",
        size_gb=500.0,
        archives=(
            *(
                Archive(
                    url=f"https://dataserv.ub.tum.de/s/m1474000/download?path=%2F&files={name}",
                    filename=name,
                    checksum=f"md5:{md5}",
                )
                for name, md5 in ARCHIVES
            ),
            *(
                Archive(url=f"{LISTS}/{name}", filename=name, checksum=f"md5:{md5}", extract=None)
                for name, md5 in (
                    ("train_list.txt", "0a68d4e1eb24f128fccdb930000b2546"),
                    ("test_list.txt", "c7faad064001e646445c4c634169484d"),
                )
            ),
        ),
    ),
    scenes=scenes,
)
