"""EuroSAT: land use of 640 m squares in Sentinel-2's thirteen bands, one class each."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

HUB = (
    "https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
    "1ce6f1bfb56db63fd91b6ecc466ea67f2509774c"
)

# The archive keeps the folders of the machine it was made on.
FOLDER = Path("ds/images/remote_sensing/otherDatasets/sentinel_2/tif")

BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A",
)  # fmt: skip

CLASSES = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)


def split_list(root: Path, split: Split) -> Path:
    """The file that names a split's images."""
    return root / f"eurosat-{split}.txt"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every image that the split lists name, in their order.

    Raises:
        EosfmError: A list, an image or a class is not where the layout has it, or an image is in
            two splits.
    """
    folder = require(root / FOLDER, "eurosat", "the class folders of EuroSATallBands.zip")
    seen: dict[str, Split] = {}
    for split in SPLITS:
        listing = require(split_list(root, split), "eurosat", f"the names of the {split} images")
        for line in listing.read_text().split():
            # The lists name the RGB edition's .jpg files; the stem is the same.
            stem = Path(line).stem
            label = stem.rpartition("_")[0]
            if label not in CLASSES:
                raise EosfmError(
                    f"{listing} names {line}, whose class is {label!r}; {suggest(label, CLASSES)}"
                )
            if stem in seen:
                raise EosfmError(
                    f"{listing} names {line}, which the {seen[stem]} list names too; "
                    "fetch the split lists again"
                )
            seen[stem] = split
            path = folder / label / f"{stem}.tif"
            yield _scene(require(path, "eurosat", f"an image of the {split} list"), split, label)


def _scene(path: Path, split: Split, label: str) -> Scene:
    height, width, crs, transform = read_header(path, len(BANDS), "uint16")
    return Scene(
        id=path.stem,
        split=split,
        height=height,
        width=width,
        files=(path,),
        image=partial(_image, path, (height, width)),
        target=partial(_target, CLASSES.index(label)),
        crs=crs,
        transform=transform,
    )


def _image(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    return read_bands(path, window, len(BANDS), size)[None]


def _target(index: int, window: Window) -> np.ndarray:
    return np.asarray(index, dtype=np.int64)


DATASET = Dataset(
    name="eurosat",
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
        archives=(
            Archive(
                url=f"{HUB}/EuroSATallBands.zip",
                filename="EuroSATallBands.zip",
                checksum="md5:5ac12b3b2557aa56e1826e981e8e200e",
                size=2_067_725_275,
            ),
            *(
                Archive(
                    url=f"{HUB}/eurosat-{split}.txt",
                    filename=f"eurosat-{split}.txt",
                    checksum=f"md5:{md5}",
                    extract=None,
                )
                for split, md5 in (
                    ("train", "908f142e73d6acdf3f482c5e80d851b1"),
                    ("val", "95de90f2aa998f70a3b2416bfe0687b4"),
                    ("test", "7ae5ab94471417b6e315763121e67c5f"),
                )
            ),
        ),
    ),
    scenes=scenes,
)
