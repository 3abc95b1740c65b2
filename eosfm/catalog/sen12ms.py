"""SEN12MS: Sentinel-1 and Sentinel-2 patches of the whole Earth with MODIS land cover."""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.bands import S2_BANDS
from eosfm.catalog.shared.geotiff import read_bands, read_header, write_geotiff
from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.sentinel2 import resampled
from eosfm.catalog.spec import Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import backscatter, draw_landscape, legend, observe

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

SEASONS = {
    "ROIs1158_spring": 105,
    "ROIs1868_summer": 196,
    "ROIs1970_fall": 288,
    "ROIs2017_winter": 30,
}
"""Season folders and the day of the year that a simulated copy uses for them."""

# Simulated patches take these themes in turn, in every split; any four in a row differ widely.
THEMES = (
    "mixed", "shrub", "coast", "mountain", "forest", "wetland", "village", "orchard", "cropland",
    "lake", "desert", "grassland", "city", "river", "glacier", "pasture",
)  # fmt: skip
PATCHES_PER_SCENE = 4

IGBP = {
    "conifer": 1, "broadleaf": 4, "mixed_forest": 5, "shrub": 7, "heath": 7,
    # MODIS sees scattered trees over ground as savanna, planted ones too.
    "orchard": 8, "olive": 9,
    "grassland": 10, "pasture": 10, "wetland": 11, "flood": 11,
    "cereal": 12, "maize": 12, "rapeseed": 12, "vegetable": 12, "rice": 12, "bare_field": 12,
    "vineyard": 12, "greenhouse": 12,
    "asphalt": 13, "road": 13, "rail": 13, "roof_red": 13, "roof_grey": 13, "roof_bright": 13,
    "concrete": 13, "car": 13,
    "snow": 15, "ice": 15, "sand": 16, "rock": 16, "bare_soil": 16, "burned": 16,
    "ocean": 17, "lake": 17, "river": 17,
}  # fmt: skip
"""IGBP class of each cover."""

# The other bands of a land cover file, by IGBP class: the codes of MCD12Q1's LCCS land cover,
# land use and surface hydrology layers (LC_Prop1, LC_Prop2, LC_Prop3) that go with it.
LCCS = np.array(
    [
        (0, 11, 12, 13, 14, 15, 41, 43, 21, 22, 31, 31, 31, 1, 42, 2, 1, 3),
        (0, 10, 10, 10, 10, 10, 40, 40, 20, 20, 30, 30, 36, 9, 35, 2, 1, 3),
        (0, 10, 10, 10, 10, 10, 40, 40, 20, 20, 30, 50, 30, 1, 30, 2, 1, 3),
    ]
)

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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: scenes of four patches, each scene in one split."""
    for season in SEASONS:
        (root / season).mkdir(parents=True, exist_ok=True)
    listed: dict[str, list[str]] = {"train": [], "test": []}
    for split, patches in simulated_patches(simulation).items():
        for index, patch in enumerate(patches):
            drawn = draw(simulation, patch, THEMES[index % len(THEMES)])
            origin = simulated_origin(simulation, patch)
            for source, image in drawn.items():
                write_geotiff(patch.path(root, source), image, simulation.gsd, origin)
            official = "test" if split == "test" else "train"
            listed[official].append(f"{patch.path(root, 's2').name}\n")
    for official, names in listed.items():
        (root / f"{official}_list.txt").write_text("".join(names))


def simulated_patches(simulation: Simulation) -> dict[Split, list[Patch]]:
    """The patches of a simulated copy by split, from scenes that the split rule puts there."""
    places = [Patch(season, scene, 0) for scene in range(1, 1000) for season in SEASONS]
    free = (patch for patch in places if not held_out(patch.place))
    reserved = (patch for patch in places if held_out(patch.place))
    supplies: dict[Split, Iterator[Patch]] = {"train": free, "val": reserved, "test": free}
    chosen: dict[Split, list[Patch]] = {}
    for split, supply in supplies.items():
        chosen[split] = []
        for index in range(simulation.scenes[split]):
            if index % PATCHES_PER_SCENE == 0:
                scene = next(supply)
            chosen[split].append(scene._replace(number=index % PATCHES_PER_SCENE + 1))
    return chosen


def simulated_origin(simulation: Simulation, patch: Patch) -> tuple[float, float]:
    """Easting and northing of a simulated patch; no two patches show the same ground."""
    side = simulation.size * simulation.gsd
    column = list(SEASONS).index(patch.season) * PATCHES_PER_SCENE + patch.number
    return 300_000 + 2 * side * column, 5_400_000 - 2 * side * patch.scene


def draw(simulation: Simulation, patch: Patch, theme: str) -> dict[str, np.ndarray]:
    """A simulated patch: ``s1`` (2, H, W) float32, ``s2`` (13, H, W) and ``lc`` (4, H, W) uint16.

    A real scene is some hundred kilometres wide: its patches share the season, not the theme.
    """
    key = (simulation.seed, "sen12ms", patch.season, patch.scene, patch.number)
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, simulation.gsd, theme, SEASONS[patch.season])
    # Real labels are MODIS pixels of 500 m, upsampled. They stay sharp here: at the size of a
    # small run, 500 m pixels would leave some twenty five labels in a patch.
    igbp = legend(land.cover, IGBP)
    return {
        "s1": backscatter(land, key, ("vv", "vh")),
        "s2": resampled(observe(land, key, S2_BANDS).image, S2_BANDS),
        "lc": np.stack([igbp, *LCCS[:, igbp]]).astype(np.uint16),
    }


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
    simulate=simulate,
)
