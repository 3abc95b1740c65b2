"""MADOS: marine debris, oil spills and what resembles them on the sea, from Sentinel-2."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.listing import read_lists
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source
from eosfm.datasets.native.values import from_reflectance, whole

NAME = "mados"
FOLDER = "MADOS"
WAVELENGTHS = {
    "B01": (443, 442), "B02": (492,), "B03": (560, 559), "B04": (665,), "B05": (704,),
    "B06": (740, 739), "B07": (783, 780), "B08": (833,), "B8A": (865, 864), "B11": (1614, 1610),
    "B12": (2202, 2186),
}  # fmt: skip
"""Nanometres in the names of the files, of Sentinel-2A and, where they differ, 2B."""
BANDS = tuple(WAVELENGTHS)
CLASSES = (
    "marine debris", "dense sargassum", "sparse floating algae", "natural organic material", "ship",
    "oil spill", "marine water", "sediment-laden water", "foam", "turbid water", "shallow water",
    "waves and wakes", "oil platform", "jellyfish", "sea snot",
)  # fmt: skip
"""In the order of the published numbers 1 to 15."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three published lists.

    Bands of 20 m and 60 m are repeated to 10 m, reflectance is multiplied by 10,000, what was not
    measured is NaN. Published classes 1 to 15 become 0 to 14, and 0, unlabelled, becomes -1.
    """
    lists = {split: root / FOLDER / "splits" / f"{split}_X.txt" for split in SPLITS}
    expected = "patches such as Scene_12_3"
    for split, patch in read_lists(lists, r"(Scene_\d+)_(\d+)", expected):
        scene, number = patch.groups()
        folder = root / FOLDER / scene
        image = [
            Part(_band_file(folder, name, number), prepare=from_reflectance, step=STEP[name])
            for name in BANDS
        ]
        label = Part(folder / "10" / f"{scene}_L2R_cl_{number}.tif", prepare=_classes)
        yield raster_scene(patch[0], split, image, label, grid=label, product=scene)


def _band_file(folder: Path, name: str, number: str) -> Path:
    """The file of a band, whichever of the two satellites took it."""
    paths = [
        folder / str(10 * STEP[name]) / f"{folder.name}_L2R_rhorc_{wavelength}_{number}.tif"
        for wavelength in WAVELENGTHS[name]
    ]
    return next((path for path in paths if path.exists()), paths[0])


def _classes(pixels: np.ndarray, path: Path) -> np.ndarray:
    expected = f"labels 0 (unlabelled) to {len(CLASSES)}"
    return whole(pixels, path, 0, len(CLASSES), expected, np.int16) - np.int16(1)


DATASET = Dataset(
    name=NAME,
    title="MADOS (Marine Debris and Oil Spill)",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="float32",
    classes=CLASSES,
    gsd=10.0,
    source=Source(
        homepage="https://marine-pollution.github.io",
        licence="CC BY 4.0",
        commercial=True,
        citation="Kikaki, Kakogeorgiou, Hoteit, Karantzalos, Detecting Marine Pollutants and Sea "
        "Surface Features with Deep Learning in Sentinel-2 Imagery, ISPRS Journal 2024, "
        "doi 10.1016/j.isprsjprs.2024.02.017",
        size_gb=4.04,
        archives=(
            Archive(
                url="https://zenodo.org/records/10664073/files/MADOS.zip?download=1",
                filename="MADOS.zip",
                size=4_038_418_740,
            ),
        ),
    ),
    reader=scenes,
    published={"train val test": 2_803},
    split_rule="official train, val and test lists; patches of a scene stay together",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Fifteen classes in sparse annotations of patches of 240 x 240 pixels."""
