"""Five-Billion-Pixels: 24 kinds of land in scenes of China, 8-bit Gaofen-2 images of 4 m."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import Header, read_bands, read_header, write_tiff
from eosfm.catalog.shared.holdout import rank
from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.png import png_size, read_png, write_png
from eosfm.catalog.spec import Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    Landscape,
    cover_mask,
    draw_landscape,
    legend,
    observe,
)
from eosfm.simulation.objects import place_objects
from eosfm.simulation.ponds import dig_ponds

NAME = "five_billion_pixels"
IMAGES = "Image__8bit_NirRGB"
LABELS = "Annotation__index"
HELD_OUT = 0.1

CLASSES = (
    "unlabelled", "industrial area", "paddy field", "irrigated field", "dry cropland",
    "garden land", "arbor forest", "shrub forest", "park", "natural meadow", "artificial meadow",
    "river", "urban residential", "lake", "pond", "fish pond", "snow", "bareland",
    "rural residential", "stadium", "square", "road", "overpass", "railway station", "airport",
)  # fmt: skip

TEST = frozenset({
    "GF2_PMS1__L1A0001064454-MSS1", "GF2_PMS1__L1A0001118839-MSS1", "GF2_PMS1__L1A0001344822-MSS1",
    "GF2_PMS1__L1A0001348919-MSS1", "GF2_PMS1__L1A0001366278-MSS1", "GF2_PMS1__L1A0001366284-MSS1",
    "GF2_PMS1__L1A0001395956-MSS1", "GF2_PMS1__L1A0001432972-MSS1", "GF2_PMS1__L1A0001670888-MSS1",
    "GF2_PMS1__L1A0001680857-MSS1", "GF2_PMS1__L1A0001680858-MSS1", "GF2_PMS1__L1A0001757429-MSS1",
    "GF2_PMS1__L1A0001765574-MSS1", "GF2_PMS2__L1A0000607677-MSS2", "GF2_PMS2__L1A0000607681-MSS2",
    "GF2_PMS2__L1A0000718813-MSS2", "GF2_PMS2__L1A0001038935-MSS2", "GF2_PMS2__L1A0001038936-MSS2",
    "GF2_PMS2__L1A0001119060-MSS2", "GF2_PMS2__L1A0001367840-MSS2", "GF2_PMS2__L1A0001378491-MSS2",
    "GF2_PMS2__L1A0001378501-MSS2", "GF2_PMS2__L1A0001396036-MSS2", "GF2_PMS2__L1A0001396037-MSS2",
    "GF2_PMS2__L1A0001416129-MSS2", "GF2_PMS2__L1A0001471436-MSS2", "GF2_PMS2__L1A0001517494-MSS2",
    "GF2_PMS2__L1A0001591676-MSS2", "GF2_PMS2__L1A0001787564-MSS2", "GF2_PMS2__L1A0001821754-MSS2",
})  # fmt: skip
"""The authors' 30 test scenes (table 4 of the paper; listed in the dataset's readme)."""

THEMES = {
    "cropland": "irrigated field",
    "city": "urban residential",
    "smallholder": "dry cropland",
    "industrial": "industrial area",
    "lake": "lake",
    "village": "rural residential",
    "ponds": "fish pond",
    "forest": "arbor forest",
    "river": "river",
    "orchard": "garden land",
    "stadium": "stadium",
    "pasture": "artificial meadow",
    "shrub": "shrub forest",
    "mountain": "snow",
    "highway": "road",
    "desert": "bareland",
}
"""Kinds of simulated scene and what each must show; ``ponds`` is cropland with fish ponds,
``stadium`` a city with sports grounds."""
SHOWN, DRAWS = 0.05, 5
"""Share of a scene that its subject covers, and how often a scene is drawn anew for it."""

COVERS = {
    **dict.fromkeys((*CROPS, "bare_field"), "irrigated field"),
    "rice": "paddy field",
    **dict.fromkeys(("orchard", "vineyard", "olive"), "garden land"),
    **dict.fromkeys(FOREST, "arbor forest"),
    **dict.fromkeys(("shrub", "heath"), "shrub forest"),
    "grassland": "natural meadow",
    "pasture": "artificial meadow",
    "river": "river",
    "lake": "lake",
    **dict.fromkeys(("snow", "ice"), "snow"),
    **dict.fromkeys(("sand", "rock", "bare_soil"), "bareland"),
    "road": "road",
}
"""Class of a cover where nothing is built; others are unlabelled."""

STREET = 26.0
"""Metres around buildings that belong to their quarter."""
TALL = 11.0
"""From how many metres of height a building is of the town, not of the village."""
POND = 20_000.0
"""Below how many square metres a lake is a pond."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the scenes in the order of their names.

    Raises:
        EosfmError: A folder or file is missing or damaged, a file is misnamed, an image is not of
            four 8-bit bands, or a label has another size than its image.
    """
    images = require(root / IMAGES, NAME, "the 8-bit images, <scene>.tif")
    paths = sorted(images.glob("*.tif"))
    if not paths:
        raise EosfmError(
            f"{NAME}: {images} holds no .tif; expected GF2_PMS<n>__L1A<number>-MSS<n>.tif; unpack "
            f"{IMAGES} again"
        )
    for path in paths:
        if not re.fullmatch(r"GF2_PMS[12]__L1A\d{10}-MSS[12]", path.stem):
            raise EosfmError(
                f"{NAME}: {path} is named for no scene; expected "
                "GF2_PMS<n>__L1A<10 digits>-MSS<n>.tif; remove it, or fetch the images again"
            )
        yield _scene(path, root / LABELS / f"{path.stem}_24label.png")


def split_of(scene: str) -> Split:
    """The split of a scene: a tenth of what is not for testing validates, by hash of its name."""
    if scene in TEST:
        return "test"
    return "val" if rank(f"{NAME}/{scene}") < HELD_OUT else "train"


def _scene(image: Path, label: Path) -> Scene:
    require(label, NAME, f"the class indices of {image.name}")
    header = read_header(_unconverted(image), 4, "uint8")
    if png_size(label) != (header.height, header.width):
        raise EosfmError(
            f"{NAME}: {label} has {png_size(label)} px and {image.name} "
            f"{(header.height, header.width)}; expected one size; fetch both again"
        )
    return Scene(
        id=image.stem,
        split=split_of(image.stem),
        height=header.height,
        width=header.width,
        files=(image, label),
        image=partial(_image, image, header),
        target=partial(_target, label),
    )


def _unconverted(path: Path) -> Path:
    """The path that makes GDAL give the stored bands.

    The published files call their bands cyan, magenta, yellow and black; GDAL would convert them
    to red, green, blue and an opaque fourth band.
    """
    return Path(f"GTIFF_RAW:{path.absolute()}")


def _image(path: Path, header: Header, window: Window) -> np.ndarray:
    return read_bands(_unconverted(path), window, 4, (header.height, header.width))[None]


def _target(path: Path, window: Window) -> np.ndarray:
    target = read_png(path, window, mode="L")
    if target.max() >= len(CLASSES):
        raise EosfmError(
            f"{NAME}: {path} holds class {target.max()}; expected 0 to {len(CLASSES) - 1}; use the "
            f"files of {LABELS} unchanged (not those of Annotation__color)"
        )
    return target


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated scenes; the kinds of scene are spread evenly over each split.

    Scenes to test on have the names of the authors' list; the others are numbered so that the
    reader's rule gives each split the scenes asked for.

    Raises:
        EosfmError: More test scenes are asked for than the dataset has.
    """
    if simulation.scenes["test"] > len(TEST):
        raise EosfmError(
            f"{NAME} has {len(TEST)} test scenes, not {simulation.scenes['test']}; lower "
            f"datasets.{NAME}.simulated.test"
        )
    numbers = (f"GF2_PMS1__L1A{number:010d}-MSS1" for number in count(1))
    for split, wanted in simulation.scenes.items():
        test = iter(sorted(TEST))
        for index in range(wanted):
            names = test if split == "test" else numbers
            name = next(name for name in names if split_of(name) == split)
            theme = list(THEMES)[index * max(1, len(THEMES) // wanted) % len(THEMES)]
            _write_scene(root, name, theme, (simulation.seed, NAME, split, index), simulation)


def _write_scene(
    root: Path, name: str, theme: str, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    for draw in range(DRAWS):
        land, classes = _draw((*key, draw), theme, simulation)
        if (classes == CLASSES.index(THEMES[theme])).mean() >= SHOWN:
            break
    image = observe(land, key, DATASET.bands, units="dn8").image
    write_tiff(root / IMAGES / f"{name}.tif", image, photometric="CMYK")
    write_png(root / LABELS / f"{name}_24label.png", classes)


def _draw(
    key: tuple[int | str, ...], theme: str, simulation: Simulation
) -> tuple[Landscape, np.ndarray]:
    """A landscape and its classes."""
    ground = {"ponds": "cropland", "stadium": "city"}.get(theme, theme)
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, simulation.gsd, ground, doy=120 + 30 * (int(key[-2]) % 5))
    special = np.zeros(land.size, bool)
    if theme == "ponds":
        land, special = dig_ponds(land, key)
    if theme == "stadium":
        land, special = _with_stadium(land, key)
    classes = classify(land, ground)
    if special.any():
        classes[special] = CLASSES.index("fish pond" if theme == "ponds" else "stadium")
    return land, classes


def _with_stadium(land: Landscape, key: tuple[int | str, ...]) -> tuple[Landscape, np.ndarray]:
    """A stadium or sports ground among the houses, and (H, W) bool of its place."""
    from scipy import ndimage

    kind = "stadium" if int(key[-2]) % 2 else "groundtrackfield"
    changed, boxes = place_objects(land, key, kind)
    drawn = np.zeros(land.size, bool)
    for col, row, end_col, end_row in boxes:
        inside = (slice(row, end_row), slice(col, end_col))
        drawn[inside] = changed.cover[inside] != land.cover[inside]
    return changed, ndimage.binary_fill_holes(ndimage.binary_closing(drawn, iterations=2))


def classify(land: Landscape, theme: str) -> np.ndarray:
    """(H, W) uint8 classes as an interpreter would draw them.

    What is built up is one area with its streets and gardens, of the kind of the nearest
    building. Plots of smallholders are rainfed, all other fields irrigated.

    Args:
        land: A landscape.
        theme: The kind of scene that it is.
    """
    from scipy import ndimage

    named = {cover: CLASSES.index(name) for cover, name in COVERS.items()}
    classes = legend(land.cover, named, default=0)
    if theme == "smallholder":
        classes[classes == CLASSES.index("irrigated field")] = CLASSES.index("dry cropland")
    lakes, number = ndimage.label(cover_mask(land.cover, "lake"))
    area = np.bincount(lakes.ravel(), minlength=number + 1) * land.gsd**2
    classes[(lakes > 0) & (area < POND)[lakes]] = CLASSES.index("pond")
    standing = cover_mask(land.cover, *ROOFS)
    if not standing.any():
        return classes
    kind = np.where(land.building_height >= TALL, CLASSES.index("urban residential"),
                    CLASSES.index("rural residential")).astype(np.uint8)  # fmt: skip
    if theme == "industrial":
        kind[:] = CLASSES.index("industrial area")
    away, nearest = ndimage.distance_transform_edt(
        ~standing, sampling=land.gsd, return_indices=True
    )
    quarter = (away < STREET) & ~cover_mask(land.cover, "lake", "river", "road")
    return np.where(quarter, kind[tuple(nearest)], classes)


DATASET = Dataset(
    name=NAME,
    title="Five-Billion-Pixels",
    kind="segmentation",
    bands=("nir", "red", "green", "blue"),
    units=("dn8",) * 4,
    dtype="uint8",
    classes=CLASSES,
    gsd=4.0,
    ignore_index=0,
    split_rule="the authors' 30 test scenes; of their 120 training scenes one tenth, by hash of "
    "the scene's name, is held out for validation",
    source=Source(
        homepage="https://x-ytong.github.io/project/Five-Billion-Pixels.html",
        licence="research use, see the homepage; images (c) China Centre for Resources Satellite "
        "Data and Application",
        citation="Tong, Xia, Zhu: Enabling country-scale land cover mapping with meter-resolution "
        "satellite imagery, ISPRS Journal of Photogrammetry and Remote Sensing 196, 2023, arXiv "
        "2209.00727",
        size_gb=30.0,
        manual=(
            f"follow the links of the homepage and unpack {IMAGES} (150 .tif) and {LABELS} (150 "
            "_24label.png) into one folder; the 16-bit images and the colour masks are not needed"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
"""150 scenes of about 6908 x 7300 px; 8-bit near infrared, red, green and blue."""
