"""Five-Billion-Pixels: 24 kinds of land in scenes of China, 8-bit Gaofen-2 images of 4 m."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.holdout import hold_out
from eosfm.datasets.native.listing import listed, parse
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.values import numbers

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


def split_of(scene: str) -> Split:
    """The split of a scene: a tenth of what is not for testing validates, by hash of its name."""
    return "test" if scene in TEST else hold_out(f"{NAME}/{scene}", HELD_OUT, test=0)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the scenes in the order of their names."""
    expected = "8-bit images GF2_PMS<n>__L1A<10 digits>-MSS<n>.tif"
    indices = numbers(0, len(CLASSES) - 1, f"classes 0 to 24 of {LABELS}")
    for path in listed(root / IMAGES, "*.tif", expected):
        parse(r"GF2_PMS[12]__L1A\d{10}-MSS[12]", path.stem, path, expected)
        # The published files call their bands cyan, magenta, yellow and black.
        image = Part(path, 4, dtype="uint8", raw=True)
        label = Part(root / LABELS / f"{path.stem}_24label.png", prepare=indices)
        yield raster_scene(path.stem, split_of(path.stem), [image], label)


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
        commercial=False,
        citation="Tong, Xia, Zhu: Enabling country-scale land cover mapping with meter-resolution "
        "satellite imagery, ISPRS Journal of Photogrammetry and Remote Sensing 196, 2023, arXiv "
        "2209.00727",
        size_gb=30.0,
        manual=(
            f"follow the links of the homepage and unpack {IMAGES} (150 .tif) and {LABELS} (150 "
            "_24label.png) into one folder; the 16-bit images and the colour masks are not needed"
        ),
    ),
    reader=scenes,
    published={"train val": 120, "test": 30},
)
"""150 scenes of about 6908 x 7300 px; 8-bit near infrared, red, green and blue."""
