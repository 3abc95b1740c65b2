"""CaFFe: zones of calving glaciers in 8-bit radar images of seven missions at 6 to 20 m.

Gourmelon et al., Calving fronts and where to find them, Earth System Science Data 2022,
doi 10.5194/essd-14-4287-2022.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.png import png_size, read_png, write_png
from eosfm.catalog.spec import SPLITS, Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.seeds import derive_seed
from eosfm.simulation import WATER, Landscape, backscatter, cover_mask, draw_landscape

NAME = "caffe"
FOLDER = "caffe"
ZONES = {0: "no information", 64: "rock", 127: "glacier", 254: "ocean and ice melange"}
"""Zone of each grey value of the masks."""

UNKNOWN = 255
CLASS_OF = np.full(256, UNKNOWN, np.uint8)
CLASS_OF[list(ZONES)] = range(len(ZONES))
GREY_OF = np.array(list(ZONES), np.uint8)

BERG_SHARE = 0.01
"""Ice that drifts covers no more than this share of a simulated scene."""
MISSIONS = (("TSX", 7), ("S1", 20), ("ENVISAT", 20), ("ERS", 20), ("PALSAR", 17), ("RSAT", 20))


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the patches of the three official folders.

    Raises:
        EosfmError: A folder or file is missing, a file is damaged or named otherwise.
    """
    for split in SPLITS:
        zones = root / FOLDER / "zones" / split
        require(zones, NAME, f"the folder {FOLDER}/zones/{split} of {FOLDER}.zip")
        for mask in sorted(zones.glob("*.png")):
            yield _scene(root, split, mask)


def _scene(root: Path, split: Split, mask: Path) -> Scene:
    glacier, found, patch = mask.stem.partition("_zones_")
    date = glacier.split("_")[1] if found and glacier.count("_") >= 4 else ""
    if len(date) != 10:
        raise EosfmError(
            f"{NAME}: {mask} is no mask of a patch; expected a name such as "
            "Crane_2002-11-09_ERS_20_2_061_zones__93_102_0_0_0.png; unpack the archive again"
        )
    image = root / FOLDER / "sar_images" / split / f"{glacier}_{patch}.png"
    require(image, NAME, f"the radar image of {mask.name}")
    height, width = png_size(mask)
    if png_size(image) != (height, width):
        raise EosfmError(
            f"{NAME}: {image} is of {png_size(image)} pixels and its mask of {(height, width)}; "
            "expected one size; unpack the archive again"
        )
    return Scene(
        id=f"{split}_{image.stem}",
        split=split,
        height=height,
        width=width,
        files=(image, mask),
        image=partial(_image, image),
        target=partial(_zones, mask),
        dates=(date,),
    )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window, mode="L")[np.newaxis, np.newaxis]


def _zones(path: Path, window: Window) -> np.ndarray:
    grey = read_png(path, window, mode="L")
    zones = CLASS_OF[grey]
    if (zones == UNKNOWN).any():
        raise EosfmError(
            f"{path} holds the grey value {grey[zones == UNKNOWN][0]}; expected "
            f"{', '.join(map(str, ZONES))}; use the masks of the folder zones"
        )
    return zones


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of fjords with a calving glacier, some at the edge of the radar's swath."""
    for split in SPLITS:
        for index in range(simulation.scenes[split]):
            key = (simulation.seed, NAME, split, index)
            image, zones = _draw(key, index, simulation)
            mission, pixel = MISSIONS[index % len(MISSIONS)]
            glacier = f"Simulated{split.title()}_{2000 + index % 20}-02-{1 + index % 28:02d}"
            scene, patch = f"{glacier}_{mission}_{pixel}_1_{index:03d}", "_0_0_0_0_0.png"
            for folder, name, pixels in (
                ("sar_images", f"{scene}_{patch}", image),
                ("zones", f"{scene}_zones_{patch}", GREY_OF[zones]),
                ("fronts", f"{scene}_front_{patch}", _front(zones)),
            ):
                write_png(root / FOLDER / folder / split / name, pixels)


def _draw(
    key: tuple[int | str, ...], index: int, simulation: Simulation
) -> tuple[np.ndarray, np.ndarray]:
    """Radar image and zones, both (H, W) uint8."""
    shape = (simulation.size, simulation.size)
    land = draw_landscape(key, shape, simulation.gsd, theme="glacier", doy=50)
    image = backscatter(land, key, ("sar",), units="dn8")[0]
    zones = _zones_of(land)
    if index % 3 == 0:
        outside = _outside(key, shape)
        image[outside] = 0
        zones[outside] = 0
    return image, zones


def _zones_of(land: Landscape) -> np.ndarray:
    """Zones by cover; ice that floats free of the glacier is part of the melange."""
    from scipy.ndimage import label

    zones = np.full(land.size, 2, np.uint8)
    zones[cover_mask(land.cover, "rock")] = 1
    ocean = cover_mask(land.cover, *WATER)
    parts, count = label(~ocean)
    small = np.bincount(parts.ravel(), minlength=count + 1) < BERG_SHARE * ocean.size
    zones[ocean | (small[parts] & cover_mask(land.cover, "ice"))] = 3
    return zones


def _outside(key: tuple[int | str, ...], shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool beyond the slanting edge of the swath: up to a third of the scene."""
    rng = np.random.default_rng(derive_seed(*key, "swath"))
    rows, cols = np.mgrid[: shape[0], : shape[1]] / max(shape)
    edge = rng.uniform(0.1, 0.3) + rng.uniform(-0.2, 0.2) * (rows - 0.5)
    return cols < edge if rng.random() < 0.5 else cols > 1 - edge


def _front(zones: np.ndarray) -> np.ndarray:
    """(H, W) uint8 line, 255 where glacier meets ocean, five pixels wide as in the original."""
    from scipy.ndimage import binary_dilation

    touching = binary_dilation(zones == 3) & (zones == 2)
    return binary_dilation(touching, np.ones((5, 5), bool)).astype(np.uint8) * 255


DATASET = Dataset(
    name=NAME,
    title="CaFFe (calving fronts and where to find them), zones",
    kind="segmentation",
    bands=("sar",),
    units=("dn8",),
    dtype="uint8",
    classes=tuple(ZONES.values()),
    gsd=20.0,
    split_rule="official train, val and test; its authors drew val by whole radar image from the "
    "train glaciers and took other glaciers for test",
    source=Source(
        homepage="https://doi.pangaea.de/10.1594/PANGAEA.940950",
        licence="CC BY 4.0",
        citation="Gourmelon, Seehaus, Braun, Maier, Christlein: Calving fronts and where to find "
        "them, Earth System Science Data 2022, doi 10.5194/essd-14-4287-2022",
        size_gb=3.3,
        archives=(
            Archive(
                url="https://huggingface.co/datasets/torchgeo/caffe/resolve/"
                "cc96e8418981ce0f03afc9beace6422fdd7142c4/caffe.zip",
                filename="caffe.zip",
                checksum="md5:9a92fd6f05af74fbc41602595a55df0d",
            ),
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
"""Four zones in patches of 512 x 512 pixels; "no information" is a zone that is scored."""
