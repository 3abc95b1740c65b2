"""MADOS: marine debris, oil spills and what resembles them on the sea, from Sentinel-2.

Kikaki et al., Detecting Marine Pollutants and Sea Surface Features with Deep Learning in
Sentinel-2 Imagery, ISPRS Journal of Photogrammetry and Remote Sensing 2024,
doi 10.1016/j.isprsjprs.2024.02.017.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.sentinel2 import STEP
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "mados"
FOLDER = "MADOS"
WAVELENGTHS = {
    "B01": (443, 442), "B02": (492,), "B03": (560, 559), "B04": (665,), "B05": (704,),
    "B06": (740, 739), "B07": (783, 780), "B08": (833,), "B8A": (865, 864), "B11": (1614, 1610),
    "B12": (2202, 2186),
}  # fmt: skip
"""Nanometres in the names of the files, of Sentinel-2A and, where they differ, 2B."""
BANDS = tuple(WAVELENGTHS)
CLASSES = {
    "debris": "marine debris",
    "sargassum": "dense sargassum",
    "algae": "sparse floating algae",
    "organic": "natural organic material",
    "ship": "ship",
    "oil": "oil spill",
    "clear": "marine water",
    "sediment": "sediment-laden water",
    "foam": "foam",
    "turbid": "turbid water",
    "shallow": "shallow water",
    "waves": "waves and wakes",
    "platform": "oil platform",
    "jellyfish": "jellyfish",
    "mucilage": "sea snot",
}
"""Simulated kind and published class, in the order of the published numbers 1 to 15."""
PATCH = re.compile(r"(Scene_\d+)_(\d+)")
HIGHEST = 16.0
"""Above any reflectance: such a file holds other units."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three published lists.

    Bands of 20 m and 60 m are repeated to 10 m, reflectance is multiplied by 10,000, what was not
    measured is NaN. Published classes 1 to 15 become 0 to 14, and 0, unlabelled, becomes -1.

    Raises:
        EosfmError: A list or file is missing, damaged or of another layout.
    """
    for split in SPLITS:
        path = root / FOLDER / "splits" / f"{split}_X.txt"
        lines = require(path, NAME, "lines such as Scene_12_3").read_text().split()
        for line in lines:
            match = PATCH.fullmatch(line)
            if match is None:
                raise EosfmError(
                    f"{path} lists {line!r}; expected patches such as Scene_12_3; fetch the file "
                    "again"
                )
            yield _scene(root / FOLDER / match[1], split, match[2])


def _scene(folder: Path, split: Split, number: str) -> Scene:
    label = require(
        folder / "10" / f"{folder.name}_L2R_cl_{number}.tif", NAME, f"a patch that {split} lists"
    )
    files = tuple(_band_file(folder, name, number) for name in BANDS)
    header = read_header(label, 1, dtype=None)
    size = (header.height, header.width)
    return Scene(
        id=f"{folder.name}_{number}",
        split=split,
        height=header.height,
        width=header.width,
        files=(*files, label),
        image=partial(_image, files, size),
        target=partial(_target, label, size),
    )


def _band_file(folder: Path, name: str, number: str) -> Path:
    """The file of a band, whichever of the two satellites took it."""
    paths = [
        folder / str(10 * STEP[name]) / f"{folder.name}_L2R_rhorc_{wavelength}_{number}.tif"
        for wavelength in WAVELENGTHS[name]
    ]
    found = next((path for path in paths if path.exists()), paths[0])
    return require(found, NAME, f"band {name} of the patch {folder.name}_{number}")


def _image(files: tuple[Path, ...], size: tuple[int, int], window: Window) -> np.ndarray:
    image = np.stack(
        [_band(path, STEP[name], size, window) for name, path in zip(BANDS, files, strict=True)]
    )
    return (image * np.float32(10_000))[None]


def _band(path: Path, step: int, size: tuple[int, int], window: Window) -> np.ndarray:
    """A window of a band, (h, w) float32 reflectance, every pixel repeated ``step`` times."""
    coarse = (-(-size[0] // step), -(-size[1] // step))
    row, col = window.row // step, window.col // step
    rows = -(-(window.row + window.height) // step) - row
    cols = -(-(window.col + window.width) // step) - col
    pixels = read_bands(path, Window(row, col, rows, cols), 1, coarse)[0].astype(np.float32)
    if np.nanmax(pixels, initial=0) > HIGHEST:
        raise EosfmError(
            f"{path} has values up to {np.nanmax(pixels):g}; expected reflectance, 0 to about 1; "
            "fetch the file again"
        )
    fine = pixels.repeat(step, axis=0).repeat(step, axis=1)
    top, left = window.row - row * step, window.col - col * step
    return fine[top : top + window.height, left : left + window.width]


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    labels = read_bands(path, window, 1, size)[0]
    if labels.min() < 0 or labels.max() > len(CLASSES):
        raise EosfmError(
            f"{path} has labels from {labels.min()} to {labels.max()}; expected 0 (unlabelled) to "
            f"{len(CLASSES)}; fetch the file again"
        )
    return labels.astype(np.int16) - np.int16(1)


DATASET = Dataset(
    name=NAME,
    title="MADOS (Marine Debris and Oil Spill)",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="float32",
    classes=tuple(CLASSES.values()),
    gsd=10.0,
    source=Source(
        homepage="https://marine-pollution.github.io",
        licence="CC BY 4.0",
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
    scenes=scenes,
    split_rule="official train, val and test lists; patches of a scene stay together",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Fifteen classes in sparse annotations of patches of 240 x 240 pixels."""
