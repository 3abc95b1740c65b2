"""DeepGlobe Land Cover: rural land in satellite images of 0.5 m, RGB-coded masks."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.holdout import rank
from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.png import png_size, read_png, write_png
from eosfm.catalog.spec import SPLITS, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Landscape,
    cover_mask,
    draw_landscape,
    legend,
    observe,
)

NAME = "deepglobe_lcc"
FOLDERS = {"train": "training_data", "test": "test_data"}
HELD_OUT = 0.1

CLASSES = ("urban", "agriculture", "rangeland", "forest", "water", "barren", "unknown")
COLORS = (
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 255),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)
UNKNOWN = 6
NO_CLASS = 255
"""Stands for the one corner of the RGB cube that is no class until it is reported."""

THEMES = ("cropland", "river", "village", "shrub", "forest", "orchard", "lake", "desert")
LEGEND = {
    **dict.fromkeys((*ROOFS, "asphalt", "road", "rail", "concrete", "car"), 0),
    **dict.fromkeys((*CROPS, "bare_field", "orchard", "vineyard", "olive", "greenhouse"), 1),
    **dict.fromkeys(("grassland", "pasture", "shrub", "heath"), 2),
    **dict.fromkeys(FOREST, 3),
    **dict.fromkeys((*WATER, "wetland", "flood"), 4),
    **dict.fromkeys(("sand", "rock", "bare_soil", "burned"), 5),
}
"""Cover of the simulated Earth to class; what is left (snow, ice) is unknown."""

BUILT_UP_M = 60.0
"""Land this close around buildings counts as urban, its gardens included."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images; the training folder gives up its validation part.

    Raises:
        EosfmError: A folder or a mask is missing, a folder holds no image, or a mask has another
            size than its image.
    """
    for folder in FOLDERS:
        images = root / "data" / FOLDERS[folder] / "images"
        require(images, NAME, f"the folder data/{FOLDERS[folder]}/images of data.zip")
        paths = sorted(images.glob("*_sat.jpg"), key=lambda path: (len(path.stem), path.stem))
        if not paths:
            raise EosfmError(
                f"{NAME}: {images} holds no <number>_sat.jpg; unpack data.zip again, or point "
                f"datasets.{NAME}.root at the folder that holds data/"
            )
        for image in paths:
            number = image.stem.removesuffix("_sat")
            yield _scene(image, number, "test" if folder == "test" else split_of(number))


def split_of(number: str) -> Split:
    """The split of a scene of the training folder."""
    return "val" if rank(f"{NAME}/{number}") < HELD_OUT else "train"


def _scene(image: Path, number: str, split: Split) -> Scene:
    mask = image.parents[1] / "masks" / f"{number}_mask.png"
    require(mask, NAME, f"the mask of {image.name}")
    height, width = png_size(image)
    if png_size(mask) != (height, width):
        raise EosfmError(
            f"{NAME}: {mask} has other sides than {image.name} ({height}x{width} px); fetch both "
            "again"
        )
    return Scene(
        id=image.stem,
        split=split,
        height=height,
        width=width,
        files=(image, mask),
        image=partial(_image, image),
        target=partial(_target, mask),
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[None]


def _target(path: Path, window: Window) -> np.ndarray:
    """Class indices (h, w); as the challenge has it, each channel counts as 0 or 255.

    Raises:
        EosfmError: A colour stands for no class.
    """
    mask = read_png(path, window)
    target = CORNERS[_corner(mask)]
    if (target == NO_CLASS).any():
        row, col = np.argwhere(target == NO_CLASS)[0]
        raise EosfmError(
            f"{NAME}: {path} has the colour {tuple(int(value) for value in mask[:, row, col])} at "
            f"row {window.row + row}, column {window.col + col}, which is no class; use the masks "
            "of the challenge unchanged"
        )
    return target


def _corner(color: np.ndarray) -> np.ndarray:
    """The corner of the RGB cube, 0 to 7, that colours (3, ...) are nearest to."""
    bright = (color > 127).astype(np.uint8)
    return bright[0] * 4 + bright[1] * 2 + bright[2]


CORNERS = np.full(8, NO_CLASS, np.uint8)
"""Class index of each corner of the RGB cube."""
CORNERS[_corner(np.transpose(COLORS))] = range(len(COLORS))


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images whose numbers give each split as many as wanted."""
    numbers = count(1)
    for split in SPLITS:
        fitting = (
            number for number in numbers if split == "test" or split_of(str(number)) == split
        )
        folder = root / "data" / FOLDERS["test" if split == "test" else "train"]
        # Also where a split gets no scene, both folders are there.
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for index in range(simulation.scenes[split]):
            _write_scene(folder, next(fitting), (simulation.seed, NAME, split, index), simulation)


def _write_scene(
    folder: Path, number: int, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    from PIL import Image

    theme = THEMES[int(key[-1]) % len(THEMES)]
    land = draw_landscape(key, (simulation.size, simulation.size), simulation.gsd, theme)
    image = observe(land, key, DATASET.bands, units="dn8").image
    path = folder / "images" / f"{number}_sat.jpg"
    Image.fromarray(np.moveaxis(image, 0, -1)).save(path, quality=95)
    colors = np.moveaxis(np.array(COLORS, np.uint8)[classify(land)], -1, 0)
    write_png(folder / "masks" / f"{number}_mask.png", colors)


def classify(land: Landscape) -> np.ndarray:
    """Class indices (H, W) of a landscape: settlements are drawn as whole areas."""
    from scipy.ndimage import uniform_filter

    classes = legend(land.cover, LEGEND, default=UNKNOWN)
    built = cover_mask(land.cover, *ROOFS).astype(np.float32)
    dense = uniform_filter(built, max(3, round(BUILT_UP_M / land.gsd))) > 0.06
    classes[dense & np.isin(classes, (1, 2))] = 0
    return classes


DATASET = Dataset(
    name=NAME,
    title="DeepGlobe Land Cover Classification",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.5,
    ignore_index=UNKNOWN,
    colors=COLORS,
    split_rule="training and test folders of the labelled edition with 803 images; one tenth of "
    "the training scenes, by hash of the scene's number, validates",
    source=Source(
        homepage="https://www.kaggle.com/datasets/geoap96/"
        "deepglobe2018-landcover-segmentation-traindataset",
        licence="DeepGlobe challenge, research use only",
        citation="Demir, Koperski, Lindenbaum, Pang, Huang, Basu, Hughes, Tuia, Raskar: DeepGlobe "
        "2018, CVPR Workshops 2018, arXiv 1805.06561",
        size_gb=2.8,
        manual=(
            "log in at Kaggle, download geoap96/deepglobe2018-landcover-segmentation-traindataset "
            "and unpack its data.zip (MD5 f32684b0b2bf6f8d604cd359a399c061), which holds "
            "data/training_data and data/test_data"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
