"""EuroSAT: land use of 640 m squares in Sentinel-2's thirteen bands, one class each."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.archives import archive
from eosfm.datasets.native.listing import one_of, read_lists, require
from eosfm.datasets.native.scenes import Part, constant, raster_scene
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source

NAME = "eurosat"
# The archive keeps the folders of the machine it was made on.
FOLDER = Path("ds/images/remote_sensing/otherDatasets/sentinel_2/tif")
LIST = "eurosat-{}.txt"
"""Name of the file that lists a split's images."""

BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A",
)  # fmt: skip
CLASSES = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture",
    "PermanentCrop", "Residential", "River", "SeaLake",
)  # fmt: skip


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every image that the split lists name, in their order."""
    folder = require(root / FOLDER, NAME, "the class folders of EuroSATallBands.zip")
    lists = {split: root / LIST.format(split) for split in SPLITS}
    # The lists name the RGB edition's .jpg files; the stem is the same.
    for split, name in read_lists(lists, NAME, r"((\w+)_\d+)\.\w+", "names <class>_<number>.jpg"):
        index = one_of(name[2], CLASSES, "class", lists[split])
        image = Part(folder / name[2] / f"{name[1]}.tif", len(BANDS), dtype="uint16")
        yield raster_scene(NAME, name[1], split, [image], constant(index, image.file))


def archives() -> tuple[Archive, ...]:
    """The images, and the lists of the splits."""
    from torchgeo.datasets import EuroSAT

    lists = [(EuroSAT.split_filenames[split], EuroSAT.split_md5s[split]) for split in SPLITS]
    return (
        archive(EuroSAT.url + EuroSAT.filename, EuroSAT.filename, EuroSAT.md5, size=2_067_725_275),
        *(archive(EuroSAT.url + name, name, md5, extract=None) for name, md5 in lists),
    )


DATASET = Dataset(
    name=NAME,
    title="EuroSAT",
    kind="classification",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="uint16",
    classes=CLASSES,
    gsd=10.0,
    split_rule="lists of Neumann et al. 2019 (arXiv 1911.06721), as torchgeo publishes them",
    source=Source(
        homepage="https://github.com/phelber/EuroSAT",
        licence="MIT",
        citation="Helber, Bischke, Dengel, Borth: EuroSAT: A Novel Dataset and Deep Learning "
        "Benchmark for Land Use and Land Cover Classification, IEEE JSTARS 2019, "
        "doi:10.1109/JSTARS.2019.2918242",
        size_gb=2.1,
        archives=archives,
    ),
    scenes=scenes,
)
