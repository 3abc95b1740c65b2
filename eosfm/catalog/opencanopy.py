"""Open-Canopy: canopy height of French forests from SPOT 6-7 images, by airborne lidar.

Fogel et al., Open-Canopy: Towards Very High Resolution Forest Monitoring, arXiv 2407.09392.
"""

import json
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eosfm.catalog.layout import open_raster, read_raster, require
from eosfm.catalog.spec import SPLITS, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError

NAME = "opencanopy"
FOLDER = "canopy_height"
CELLS = "geometries.geojson"
CRS = "EPSG:2154"
IMAGE_NAME = re.compile(r"compressed_pansharpened_(\d{4})(\d{2})(\d{2}).*\.tif")
GROUND, LOW, MEDIUM, HIGH, BUILDING, WATER, UNCLASSIFIED = 2, 3, 4, 5, 6, 9, 1
LABELLED = (GROUND, LOW, MEDIUM, HIGH, WATER)
"""Lidar HD classes (IGN) whose height is that of the canopy, or of there being none."""

THEMES = ("forest", "conifer", "broadleaf", "mixed", "orchard", "mountain", "village", "forest")
MARGIN = 16
"""Pixels of a simulated image around the cell that the grid cuts out of it."""


class Grid(NamedTuple):
    """Where a raster's pixels lie: upper left corner and pixel size in metres, size in pixels."""

    west: float
    north: float
    step: float
    height: int
    width: int


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the cells of the official grid (1 km squares) that are not in a buffer around test cells.

    The target is the lidar height in metres, NaN where the lidar classes say that the return is
    of a building, or of nothing known.

    Raises:
        EosfmError: The grid or a raster is missing or damaged, or a cell lies outside its image.
    """
    folder = require(root / FOLDER, NAME, f"{CELLS} and one folder per year")
    path = require(folder / CELLS, NAME, "the grid of cells with their splits")
    # Tens of thousands of cells share a few hundred images: each header is read once.
    grid_of = cache(_grid)
    for cell in _cells(path):
        if cell["split"] != "buffer":
            yield _scene(folder, cell, grid_of)


def _cells(path: Path) -> list[dict[str, Any]]:
    """Every cell's ``year``, ``image``, ``split`` and ``bounds`` (west, south, east, north)."""
    try:
        features = json.loads(path.read_text())["features"]
        cells = [_cell(feature) for feature in features]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise EosfmError(
            f"{path} is not the grid of cells ({error!r}); expected polygons with lidar_year, "
            "image_name and split; fetch the file again"
        ) from None
    for cell in cells:
        if cell["split"] not in (*SPLITS, "buffer"):
            raise EosfmError(
                f"{path} has the split {cell['split']!r}; expected train, val, test or buffer; "
                "fetch the file again"
            )
        if not IMAGE_NAME.fullmatch(cell["image"]):
            raise EosfmError(
                f"{path} names the image {cell['image']!r}; expected "
                "compressed_pansharpened_<date><number>.tif; fetch the file again"
            )
    return cells


def _cell(feature: dict[str, Any]) -> dict[str, Any]:
    facts = feature["properties"]
    east, north = zip(*feature["geometry"]["coordinates"][0], strict=True)
    return {
        "year": str(facts["lidar_year"]),
        "image": facts["image_name"],
        "split": facts["split"],
        "bounds": (min(east), min(north), max(east), max(north)),
    }


def _scene(folder: Path, cell: dict[str, Any], grid_of: Any) -> Scene:
    image, lidar, classes = (
        require(
            folder / cell["year"] / layer / cell["image"].replace("pansharpened", name),
            NAME,
            f"a raster that {CELLS} names",
        )
        for layer, name in (
            ("spot", "pansharpened"),
            ("lidar", "lidar"),
            ("lidar_classification", "lidar_classification"),
        )
    )
    west, south, east, north = cell["bounds"]
    grid = grid_of(image)
    height, width = int((north - south) / grid.step), int((east - west) / grid.step)
    # The lidar's pixels may be shifted against the image's by a fraction of one.
    corners = [_corner(path, grid_of(path), cell, height, width) for path in (image, lidar, classes)]
    row, col = corners[0]
    left, top = grid.west + col * grid.step, grid.north - row * grid.step
    year, month, day = IMAGE_NAME.fullmatch(cell["image"]).groups()  # type: ignore[union-attr]
    return Scene(
        id=f"{cell['year']}_{west:.0f}_{south:.0f}",
        split=cell["split"],
        height=height,
        width=width,
        files=(image, lidar, classes),
        image=partial(_image, image, corners[0]),
        target=partial(_target, lidar, corners[1], classes, corners[2]),
        crs=CRS,
        transform=(grid.step, 0.0, left, 0.0, -grid.step, top),
        dates=(f"{year}-{month}-{day}",),
    )


def _grid(path: Path) -> Grid:
    with open_raster(path) as raster:
        place = raster.transform
        return Grid(place.c, place.f, place.a, raster.height, raster.width)


def _corner(
    path: Path, grid: Grid, cell: dict[str, Any], height: int, width: int
) -> tuple[int, int]:
    """Row and column of a cell's upper left pixel in a raster."""
    west, _, _, north = cell["bounds"]
    row, col = round((grid.north - north) / grid.step), round((west - grid.west) / grid.step)
    # A cell on the image's edge may stick out by less than a pixel.
    row, col = min(max(row, 0), grid.height - height), min(max(col, 0), grid.width - width)
    off = max(abs(grid.north - row * grid.step - north), abs(grid.west + col * grid.step - west))
    if min(row, col) < 0 or off > 2 * grid.step:
        raise EosfmError(
            f"{path} does not cover the cell at {cell['bounds']} that {CELLS} places in it; "
            "fetch both files again"
        )
    return row, col


def _read(path: Path, corner: tuple[int, int], window: Window, bands: int) -> np.ndarray:
    row, col = corner
    pixels = read_raster(path, window._replace(row=window.row + row, col=window.col + col))
    if len(pixels) != bands:
        raise EosfmError(f"{path} has {len(pixels)} bands; expected {bands}; fetch the file again")
    return pixels


def _image(path: Path, corner: tuple[int, int], window: Window) -> np.ndarray:
    return _read(path, corner, window, len(DATASET.bands))[None]


def _target(
    lidar: Path,
    lidar_corner: tuple[int, int],
    classes: Path,
    classes_corner: tuple[int, int],
    window: Window,
) -> np.ndarray:
    decimetres = _read(lidar, lidar_corner, window, 1)[0]
    labelled = np.isin(_read(classes, classes_corner, window, 1)[0], LABELLED)
    return np.where(labelled, decimetres / np.float32(10), np.float32(np.nan))


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated woods, one image per cell, and one buffer cell that nobody may use."""
    features, number = [], 0
    for split in SPLITS:
        for index in range(simulation.scenes[split]):
            key = (simulation.seed, NAME, split, index)
            features.append(_write_cell(root / FOLDER, split, number, index, key, simulation))
            number += 1
    buffer = json.loads(json.dumps(features[-1]))
    buffer["properties"]["split"] = "buffer"
    collection = {"type": "FeatureCollection", "features": [*features, buffer]}
    (root / FOLDER / CELLS).write_text(json.dumps(collection))


def _write_cell(
    folder: Path,
    split: Split,
    number: int,
    index: int,
    key: tuple[int | str, ...],
    simulation: Simulation,
) -> dict[str, Any]:
    """Write the three rasters around one cell; return the cell as a GeoJSON feature."""
    from eosfm.simulation import draw_landscape, observe

    size, step = simulation.size + 2 * MARGIN, simulation.gsd
    theme = THEMES[index % len(THEMES)]
    land = draw_landscape(key, size=(size, size), gsd=step, theme=theme)
    seen = observe(land, (*key, "spot"), DATASET.bands, units="dn8")
    name = f"compressed_pansharpened_20220611{number:06d}.tif"
    west, north = 600_000 + number * size * step, 6_700_000
    for layer, pixels in (
        ("spot", seen.image),
        ("lidar", np.round(land.canopy_height[None] * 10).astype(np.uint16)),
        ("lidar_classification", _classify(land)[None]),
    ):
        part = "pansharpened" if layer == "spot" else layer
        path = folder / "2022" / layer / name.replace("pansharpened", part)
        _write(path, pixels, west, north, step)
    left, top = west + MARGIN * step, north - MARGIN * step
    right, bottom = left + simulation.size * step, top - simulation.size * step
    ring = [[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]]
    return {
        "type": "Feature",
        "properties": {"lidar_year": 2022, "image_name": name, "split": split},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def _classify(land: Any) -> np.ndarray:
    """Lidar HD classes (H, W) of a simulated landscape."""
    from eosfm.simulation import legend

    roofs = ("roof_red", "roof_grey", "roof_bright", "greenhouse")
    names = dict.fromkeys(roofs, BUILDING)
    names |= dict.fromkeys(("ocean", "lake", "river", "flood"), WATER) | {"car": UNCLASSIFIED}
    named = legend(land.cover, names, default=0)
    by_height = np.digitize(land.canopy_height, (0.1, 0.5, 1.5)).astype(np.uint8) + GROUND
    return np.where(named > 0, named, by_height).astype(np.uint8)


def _write(path: Path, pixels: np.ndarray, west: float, north: float, step: float) -> None:
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    profile: dict[str, Any] = {"driver": "GTiff", "crs": CRS, "dtype": pixels.dtype}
    profile |= {"count": bands, "height": height, "width": width, "compress": "zstd"}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
    profile["transform"] = rasterio.Affine(step, 0.0, west, 0.0, -step, north)
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels)


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
        citation=(
            "Fogel et al., Open-Canopy: Towards Very High Resolution Forest Monitoring, "
            "CVPR 2025, arXiv 2407.09392"
        ),
        size_gb=360.0,
        manual=(
            "several hundred files: `hf download AI4Forest/Open-Canopy --repo-type dataset "
            "--include 'canopy_height/geometries.geojson' 'canopy_height/202?/spot/*' "
            "'canopy_height/202?/lidar/*' 'canopy_height/202?/lidar_classification/*' "
            "--local-dir <folder>`, then set datasets.opencanopy.root=<folder>"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
    split_rule="official, by 1 km cell; cells in the buffer around test cells are left out",
    target_unit="m",
)
"""Height in metres at every pixel of 1.5 m, in cells of 666 x 666 pixels."""
