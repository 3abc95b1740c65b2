"""Open-Canopy: canopy height of French forests from SPOT 6-7 images, by airborne lidar."""

import json
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.pairs import within
from eosfm.datasets.readers.raster import read_bands, read_header
from eosfm.datasets.spec import Dataset, Scene, Source, Window

NAME = "opencanopy"
FOLDER = "canopy_height"
CELLS = "geometries.geojson"
CRS = "EPSG:2154"
IMAGE_NAME = re.compile(r"compressed_pansharpened_(\d{4})(\d{2})(\d{2}).*\.tif")
GROUND, LOW, MEDIUM, HIGH, BUILDING, WATER, UNCLASSIFIED = 2, 3, 4, 5, 6, 9, 1
LABELLED = (GROUND, LOW, MEDIUM, HIGH, WATER)
"""Lidar HD classes (IGN) whose height is that of the canopy, or of there being none."""


class Cell(NamedTuple):
    """A square of the grid, and the image that shows it."""

    year: str
    image: str
    split: Any
    west: float
    south: float
    east: float
    north: float


class Layer(NamedTuple):
    """One raster of an image: SPOT, lidar height or lidar classes."""

    path: Path
    bands: int
    size: tuple[int, int]
    transform: tuple[float, float, float, float, float, float]

    def part(self, cell: Cell, height: int, width: int) -> Window:
        """Where a cell lies.

        Raises:
            EosfmError: Elsewhere.
        """
        step, _, west, _, _, north = self.transform
        # A cell on the image's edge may stick out by less than a pixel.
        row = min(max(round((north - cell.north) / step), 0), self.size[0] - height)
        col = min(max(round((cell.west - west) / step), 0), self.size[1] - width)
        off = max(abs(north - row * step - cell.north), abs(west + col * step - cell.west))
        if min(row, col) < 0 or off > 1.5 * step:
            raise EosfmError(
                f"{self.path} does not cover the cell at {cell.west:.0f}, {cell.south:.0f} that "
                f"{CELLS} places in it; fetch both files again"
            )
        return Window(row, col, height, width)

    def read(self, part: Window, window: Window) -> np.ndarray:
        """A window (C, h, w) of a part."""
        return read_bands(self.path, within(part, window), self.bands, self.size)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the cells of the official grid, 1 km squares, but for those around test cells.

    The target is the lidar height in metres, NaN where the lidar classes say that the return is
    of a building, or of nothing known.
    """
    folder = require(root / FOLDER, NAME, f"{CELLS} and one folder per year")
    path = require(folder / CELLS, NAME, "the grid of cells with their splits")
    # Tens of thousands of cells share a few hundred images: each header is read once.
    layers = cache(partial(_layers, folder))
    for cell in _cells(path):
        if cell.split != "buffer":
            yield _scene(layers(cell.year, cell.image), cell)


def _cells(path: Path) -> list[Cell]:
    try:
        cells = [_cell(feature) for feature in json.loads(path.read_text())["features"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise EosfmError(
            f"{path} is not the grid of cells ({error!r}); expected polygons with lidar_year, "
            "image_name and split; fetch the file again"
        ) from None
    for cell in cells:
        if cell.split not in (*SPLITS, "buffer") or not IMAGE_NAME.fullmatch(cell.image):
            raise EosfmError(
                f"{path} has a cell of split {cell.split!r} in the image {cell.image!r}; expected "
                "train, val, test or buffer and compressed_pansharpened_<date><number>.tif; fetch "
                "the file again"
            )
    return cells


def _cell(feature: dict[str, Any]) -> Cell:
    facts = feature["properties"]
    east, north = zip(*feature["geometry"]["coordinates"][0], strict=True)
    bounds = (min(east), min(north), max(east), max(north))
    return Cell(str(facts["lidar_year"]), str(facts["image_name"]), facts["split"], *bounds)


def _layers(folder: Path, year: str, image: str) -> tuple[Layer, ...]:
    """The three rasters of an image, their headers checked."""
    layers = []
    for name, part, bands, dtype in (
        ("spot", "pansharpened", len(DATASET.bands), "uint8"),
        ("lidar", "lidar", 1, "uint16"),
        ("lidar_classification", "lidar_classification", 1, "uint8"),
    ):
        path = folder / year / name / image.replace("pansharpened", part)
        require(path, NAME, f"a raster that {CELLS} names")
        header = read_header(path, bands, dtype)
        if header.transform is None:
            raise EosfmError(f"{path} has no georeference; expected {CRS}; fetch the file again")
        layers.append(Layer(path, bands, (header.height, header.width), header.transform))
    return tuple(layers)


def _scene(layers: tuple[Layer, ...], cell: Cell) -> Scene:
    step, _, west, _, _, north = layers[0].transform
    # Whole pixels only; the small number keeps 64 pixels of 0.7 m from becoming 63.
    height = int((cell.north - cell.south) / step + 1e-6)
    width = int((cell.east - cell.west) / step + 1e-6)
    # The lidar's pixels may be shifted against the image's by a fraction of one.
    parts = [layer.part(cell, height, width) for layer in layers]
    spot, lidar, classes = (
        partial(layer.read, part) for layer, part in zip(layers, parts, strict=True)
    )

    def target(window: Window) -> np.ndarray:
        labelled = np.isin(classes(window)[0], LABELLED)
        return np.where(labelled, lidar(window)[0] / np.float32(10), np.float32(np.nan))

    west, north = west + parts[0].col * step, north - parts[0].row * step
    return Scene(
        id=f"{cell.year}_{cell.west:.0f}_{cell.south:.0f}",
        split=cell.split,
        height=height,
        width=width,
        files=tuple(layer.path for layer in layers),
        image=lambda window: spot(window)[None],
        target=target,
        crs=CRS,
        transform=(step, 0.0, west, 0.0, -step, north),
        dates=("-".join(IMAGE_NAME.fullmatch(cell.image).groups()),),  # type: ignore[union-attr]
    )


DATASET = Dataset(
    name=NAME,
    title="Open-Canopy",
    kind="regression",
    bands=("red", "green", "blue", "nir"),
    units=("dn8",) * 4,
    dtype="uint8",
    classes=("canopy height",),
    gsd=1.5,
    source=Source(
        homepage="https://huggingface.co/datasets/AI4Forest/Open-Canopy",
        licence="Etalab Open Licence 2.0",
        citation="Fogel et al., Open-Canopy: Towards Very High Resolution Forest Monitoring, CVPR "
        "2025, arXiv 2407.09392",
        size_gb=360.0,
        manual="run `hf download AI4Forest/Open-Canopy --repo-type dataset "
        "--include 'canopy_height/geometries.geojson' 'canopy_height/202?/spot/*' "
        "'canopy_height/202?/lidar/*' 'canopy_height/202?/lidar_classification/*' "
        "--local-dir <folder>`",
    ),
    scenes=scenes,
    split_rule="official, by 1 km cell; cells in the buffer around test cells are left out",
    target_unit="m",
)
