"""EuroSAT: land use of 640 m squares in Sentinel-2's thirteen bands, one class each."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import read_bands, read_header, write_geotiff
from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.sentinel2 import resampled
from eosfm.catalog.spec import (
    SPLITS,
    Archive,
    Dataset,
    Scene,
    Simulation,
    Source,
    Split,
    Window,
)
from eosfm.errors import EosfmError, suggest
from eosfm.simulation import (
    CROPS,
    FOREST,
    ROOFS,
    WATER,
    Landscape,
    cover_mask,
    draw_landscape,
    observe,
)

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

# What a person would file under each class: landscape themes, taken in turn by simulated images,
# and the covers of which there must be some share.
CONTENT: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "AnnualCrop": (("cropland",), (*CROPS, "bare_field"), 0.6),
    "Forest": (("conifer", "broadleaf", "forest"), FOREST, 0.8),
    "HerbaceousVegetation": (("grassland", "shrub"), ("grassland", "shrub", "heath"), 0.8),
    "Highway": (("highway",), ("asphalt", "road"), 0.02),
    "Industrial": (("industrial",), ROOFS, 0.1),
    "Pasture": (("pasture",), ("pasture",), 0.6),
    "PermanentCrop": (("orchard",), ("orchard", "vineyard", "olive"), 0.6),
    "Residential": (("residential", "city"), ROOFS, 0.1),
    "River": (("river",), ("river",), 0.04),
    "SeaLake": (("sea", "lake"), WATER, 0.35),
}
TRIES = 10


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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy: the classes take turns, numbered from 1 as in the archive."""
    count = 0
    for split in SPLITS:
        names = []
        for index in range(simulation.scenes[split]):
            label = CLASSES[index % len(CLASSES)]
            count += 1
            image = draw(simulation, label, count)
            path = root / FOLDER / label / f"{label}_{count}.tif"
            # Side by side with a gap, so that no two images show the same ground.
            east = 300_000 + 2 * count * simulation.size * simulation.gsd
            write_geotiff(path, image, simulation.gsd, (east, 5_400_000))
            names.append(f"{path.stem}.jpg\n")
        root.mkdir(parents=True, exist_ok=True)
        split_list(root, split).write_text("".join(names))


def draw(simulation: Simulation, label: str, number: int) -> np.ndarray:
    """The image ``<label>_<number>`` of a simulated copy: (13, size, size) uint16."""
    key = (simulation.seed, "eurosat", label, number)
    return resampled(observe(_land(simulation, label, number), key, BANDS).image, BANDS)


def _land(simulation: Simulation, label: str, number: int) -> Landscape:
    """A landscape with enough of what the class is named for, or the last of a few tries."""
    themes, covers, share = CONTENT[label]
    theme = themes[number % len(themes)]
    # Acquisitions of the whole growing season; 61 and 180 have no common divisor.
    doy = 100 + 61 * number % 180
    size = (simulation.size, simulation.size)
    for attempt in range(TRIES):
        key = (simulation.seed, "eurosat", label, number, attempt)
        land = draw_landscape(key, size, simulation.gsd, theme, doy)
        if cover_mask(land.cover, *covers).mean() >= share:
            break
    return land


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
    simulate=simulate,
)
