"""Open-Canopy: canopy height of French forests from SPOT 6-7 images, by airborne lidar."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.listing import expecting, one_of, parse, read_text, require
from eosfm.datasets.native.scenes import Part, crop, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source, Window

NAME = "opencanopy"
FOLDER = "canopy_height"
CELLS = "geometries.geojson"
CRS = "EPSG:2154"
IMAGE = r"compressed_pansharpened_(\d{4})(\d{2})(\d{2}).*\.tif"
GROUND, LOW, MEDIUM, HIGH, BUILDING, WATER, UNCLASSIFIED = 2, 3, 4, 5, 6, 9, 1
LABELLED = (GROUND, LOW, MEDIUM, HIGH, WATER)
"""Lidar HD classes (IGN) whose height is that of the canopy, or of there being none."""
LAYERS = (
    ("spot", "pansharpened", 4, "uint8"),
    ("lidar", "lidar", 1, "uint16"),
    ("lidar_classification", "lidar_classification", 1, "uint8"),
)
"""The rasters of an image: folder, word in the file's name, bands, dtype."""


class Cell(NamedTuple):
    """A square of the grid, and the image that shows it."""

    year: str
    image: str
    split: str
    west: float
    south: float
    east: float
    north: float


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the cells of the official grid, 1 km squares, but for those around test cells.

    The target is the lidar height in metres, NaN where the lidar classes say that the return is
    of a building, or of nothing known.
    """
    path = require(root / FOLDER / CELLS, "the grid of cells with their splits")
    # Tens of thousands of cells share a few hundred images: each header is read once.
    layers = cache(partial(_layers, root / FOLDER))
    for cell in _cells(path):
        split = one_of(cell.split, (*SPLITS, "buffer"), "split", path)
        date = parse(IMAGE, cell.image, path, "images compressed_pansharpened_<date><number>.tif")
        if split < len(SPLITS):
            yield _scene(
                layers(cell.year, cell.image), cell, SPLITS[split], "-".join(date.groups())
            )


def _cells(path: Path) -> list[Cell]:
    cells = []
    with expecting(path, "polygons with lidar_year, image_name and split"):
        for feature in json.loads(read_text(path))["features"]:
            facts = feature["properties"]
            year, image, split = (str(facts[k]) for k in ("lidar_year", "image_name", "split"))
            east, north = zip(*feature["geometry"]["coordinates"][0], strict=True)
            bounds = (min(east), min(north), max(east), max(north))
            cells.append(Cell(year, image, split, *bounds))
    return cells


def _layers(folder: Path, year: str, image: str) -> list[Scene]:
    """The three rasters of an image as a whole, their headers checked."""
    layers = []
    for name, word, bands, dtype in LAYERS:
        path = folder / year / name / image.replace("pansharpened", word)
        part = Part(require(path, f"a raster that {CELLS} names"), bands, dtype=dtype)
        layers.append(raster_scene(image, "train", [part], part))
        if layers[-1].transform is None:
            raise EosfmError(f"{path} has no georeference; expected {CRS}; fetch the file again")
    return layers


def _scene(layers: list[Scene], cell: Cell, split: Split, date: str) -> Scene:
    step = layers[0].transform[0]  # type: ignore[index]
    # Whole pixels only; the small number keeps 64 pixels of 0.7 m from becoming 63.
    height = int((cell.north - cell.south) / step + 1e-6)
    width = int((cell.east - cell.west) / step + 1e-6)
    id = f"{cell.year}_{cell.west:.0f}_{cell.south:.0f}"
    # The lidar's pixels may be shifted against the image's by a fraction of one.
    image, lidar, classes = (
        crop(layer, id, split, _place(layer, cell, height, width)) for layer in layers
    )

    def target(window: Window) -> np.ndarray:
        labelled = np.isin(classes.target(window), LABELLED)
        return np.where(labelled, lidar.target(window) / np.float32(10), np.float32(np.nan))

    files = tuple(layer.files[0] for layer in layers)
    return replace(image, files=files, target=target, crs=CRS, dates=(date,))


def _place(raster: Scene, cell: Cell, height: int, width: int) -> Window:
    """Where in a raster a cell lies."""
    step, _, west, _, _, north = raster.transform  # type: ignore[misc]
    # A cell on the image's edge may stick out by less than a pixel.
    row = min(max(round((north - cell.north) / step), 0), raster.height - height)
    col = min(max(round((cell.west - west) / step), 0), raster.width - width)
    off = max(abs(north - row * step - cell.north), abs(west + col * step - cell.west))
    if min(row, col) < 0 or off > 1.5 * step:
        raise EosfmError(
            f"{raster.files[0]} does not cover the cell at {cell.west:.0f}, {cell.south:.0f} that "
            f"{CELLS} places in it; fetch both files again"
        )
    return Window(row, col, height, width)


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
        commercial=True,
        citation="Fogel et al., Open-Canopy: Towards Very High Resolution Forest Monitoring, CVPR "
        "2025, arXiv 2407.09392",
        size_gb=360.0,
        manual="run `hf download AI4Forest/Open-Canopy --repo-type dataset "
        "--include 'canopy_height/geometries.geojson' 'canopy_height/202?/spot/*' "
        "'canopy_height/202?/lidar/*' 'canopy_height/202?/lidar_classification/*' "
        "--local-dir <folder>`",
    ),
    reader=scenes,
    split_rule="official, by 1 km cell; cells in the buffer around test cells are left out",
    target_unit="m",
    target_steps=10,
)
