"""ISPRS Potsdam: land cover of a city in aerial orthophotos of 5 cm.

ISPRS 2D Semantic Labeling Contest; Rottensteiner et al. 2012, doi 10.5194/isprsannals-I-3-293-2012.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.catalog.layout import open_raster, read_raster, require
from eosfm.catalog.spec import Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError

NAME = "potsdam"
IMAGES = "4_Ortho_RGBIR"
LABELS = "5_Labels_all"
IGNORE = 255

TILES: dict[Split, tuple[str, ...]] = {
    "train": (
        "2_10", "2_11", "3_10", "3_11", "3_12", "4_11", "4_12", "5_10", "5_11", "5_12",
        "6_8", "6_9", "6_10", "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_12",
    ),
    "val": ("2_12", "4_10", "6_7", "7_11"),
    "test": (
        "2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15",
        "5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13",
    ),
}  # fmt: skip
"""The contest's 24 training tiles, four of them held out for validation, and its 14 test tiles."""

CLASSES = ("clutter", "impervious surfaces", "building", "low vegetation", "tree", "car")
COLORS = (
    (255, 0, 0),
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 255),
    (0, 255, 0),
    (255, 255, 0),
)
BOUNDARY = (0, 0, 0)
"""Object boundaries in the ``noBoundary`` variants of the labels: not scored."""
TOLERANCE = 32
"""Some masks hold slips such as (252, 255, 0); a channel may be this far from 0 or 255."""

THEMES = ("village", "city", "city", "industrial")
COVERS = {
    "impervious surfaces": ("asphalt", "road", "rail", "concrete"),
    "building": ("roof_red", "roof_grey", "roof_bright", "greenhouse"),
    "low vegetation": (
        "cereal", "maize", "rapeseed", "vegetable", "grassland", "pasture", "vineyard", "shrub",
        "heath", "wetland",
    ),
    "tree": ("orchard", "olive", "conifer", "broadleaf", "mixed_forest"),
    "car": ("car",),
}  # fmt: skip
"""How the simulation names things; whatever else lies about is clutter."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the tiles that are there, in the contest's order.

    The labels lie beside the image folder or in a folder of their own, depending on how their
    archive was unpacked.

    Raises:
        EosfmError: The images are missing, none is a tile of the contest, a label is missing, or
            image and label differ in size.
    """
    images = require(root / IMAGES, NAME, "top_potsdam_<row>_<column>_RGBIR.tif files")
    labels = root / LABELS if (root / LABELS).is_dir() else root
    found = False
    for split, tiles in TILES.items():
        for tile in tiles:
            image = images / f"top_potsdam_{tile}_RGBIR.tif"
            if image.exists():
                found = True
                label = labels / f"top_potsdam_{tile}_label.tif"
                yield _scene(split, tile, image, require(label, NAME, f"the mask of {image.name}"))
    if not found:
        raise EosfmError(
            f"{NAME}: {images} holds no top_potsdam_<row>_<column>_RGBIR.tif; unpack "
            f"{IMAGES}.zip there (the RGB and IRRG variants lack a band)"
        )


def _scene(split: Split, tile: str, image: Path, label: Path) -> Scene:
    with open_raster(image) as raster:
        height, width, bands = raster.height, raster.width, raster.count
        crs, transform = raster.crs, raster.transform
    with open_raster(label) as raster:
        label_size = (raster.height, raster.width, raster.count)
    if bands != 4 or label_size != (height, width, 3):
        raise EosfmError(
            f"{image} has {bands} bands of {height} x {width} pixels and its mask {label} "
            f"{label_size[2]} of {label_size[0]} x {label_size[1]}; expected 4 and 3 of one size; "
            f"unpack {IMAGES}.zip and {LABELS}.zip again"
        )
    return Scene(
        id=f"top_potsdam_{tile}",
        split=split,
        height=height,
        width=width,
        files=(image, label),
        image=partial(_image, image),
        target=partial(_target, label),
        crs=crs.to_string() if crs else None,
        transform=tuple(transform)[:6] if crs else None,
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_raster(path, window)[None]


def _target(path: Path, window: Window) -> np.ndarray:
    """Class indices (h, w) of a colour-coded mask.

    Every colour of the contest is a corner of the RGB cube, so the corner decides.

    Raises:
        EosfmError: A colour is near no corner, or near one that stands for nothing.
    """
    mask = read_raster(path, window)
    corner = (mask > 127).astype(np.uint8)
    target = _LOOKUP[corner[0] * 4 + corner[1] * 2 + corner[2]]
    strange = (np.minimum(mask, 255 - mask) > TOLERANCE).any(axis=0) | (target == _UNKNOWN)
    if strange.any():
        row, col = np.argwhere(strange)[0]
        raise EosfmError(
            f"{path} has the colour {tuple(int(value) for value in mask[:, row, col])} at row "
            f"{window.row + row}, column {window.col + col}, which is no class; use the masks of "
            f"{LABELS}.zip unchanged"
        )
    return target


_UNKNOWN = 254
_LOOKUP = np.full(8, _UNKNOWN, np.uint8)
for _index, (_r, _g, _b) in ((IGNORE, BOUNDARY), *enumerate(COLORS)):
    _LOOKUP[(_r > 0) * 4 + (_g > 0) * 2 + (_b > 0)] = _index


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated quarters of a town under the names of the contest's tiles.

    Raises:
        EosfmError: More scenes are asked for than a split has tiles.
    """
    for split, tiles in TILES.items():
        count = simulation.scenes[split]
        if count > len(tiles):
            raise EosfmError(
                f"{NAME} has {len(tiles)} {split} tiles, not {count}; lower "
                f"datasets.{NAME}.simulated.{split}"
            )
        for index, tile in enumerate(tiles[:count]):
            theme = THEMES[index % len(THEMES)]
            _write_scene(root, tile, theme, (simulation.seed, NAME, split, index), simulation)


def _write_scene(
    root: Path, tile: str, theme: str, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    from eosfm.simulation import draw_landscape, legend, observe

    land = draw_landscape(
        key, size=(simulation.size, simulation.size), gsd=simulation.gsd, theme=theme
    )
    seen = observe(land, (*key, "camera"), DATASET.bands, units="dn8")
    names = {cover: CLASSES.index(name) for name, covers in COVERS.items() for cover in covers}
    classes = legend(land.cover, names, default=CLASSES.index("clutter"))
    colors = np.moveaxis(np.array(COLORS, np.uint8)[classes], -1, 0)
    _write(root / IMAGES / f"top_potsdam_{tile}_RGBIR.tif", seen.image, tile, simulation.gsd)
    _write(root / f"top_potsdam_{tile}_label.tif", colors, tile, simulation.gsd)


def _write(path: Path, pixels: np.ndarray, tile: str, gsd: float) -> None:
    """A GeoTIFF at the tile's place in the contest's grid of rows and columns."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = pixels.shape
    row, col = (int(part) for part in tile.split("_"))
    east, north = 366_000 + col * width * gsd, 5_809_000 - row * height * gsd
    profile: dict[str, Any] = {"driver": "GTiff", "crs": "EPSG:32633", "dtype": pixels.dtype}
    profile |= {"count": bands, "height": height, "width": width, "photometric": "RGB"}
    profile["transform"] = rasterio.Affine(gsd, 0.0, east, 0.0, -gsd, north)
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels)


DATASET = Dataset(
    name=NAME,
    title="ISPRS Potsdam 2D Semantic Labeling",
    kind="segmentation",
    bands=("red", "green", "blue", "nir"),
    units=("dn8",) * 4,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.05,
    source=Source(
        homepage=(
            "https://www.isprs.org/education/benchmarks/UrbanSemLab/2d-sem-label-potsdam.aspx"
        ),
        licence="research use with acknowledgement of ISPRS; on request",
        citation=(
            "Rottensteiner et al., The ISPRS benchmark on urban object classification and 3D "
            "building reconstruction, 2012, doi 10.5194/isprsannals-I-3-293-2012"
        ),
        size_gb=5.0,
        manual=(
            "request access on the homepage, download 4_Ortho_RGBIR.zip (MD5 "
            "c4a8f7d8c7196dd4eba4addd0aae10c1) and 5_Labels_all.zip, unpack both into one "
            "folder, then set datasets.potsdam.root=<folder>"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
    split_rule="official train and test tiles; 2_12, 4_10, 6_7 and 7_11 of train validate",
    ignore_index=IGNORE,
    colors=COLORS,
)
"""Six classes in scenes of 6000 x 6000 pixels with red, green, blue and near infrared."""
