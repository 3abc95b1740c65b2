"""Five-Billion-Pixels: 24 kinds of land in scenes of China, 8-bit Gaofen-2 images of 4 m."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import Header, read_bands, read_header
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Dataset, Scene, Source, Window

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
)
"""150 scenes of about 6908 x 7300 px; 8-bit near infrared, red, green and blue."""
