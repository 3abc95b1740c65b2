"""EuroSAT: land use of 640 m squares in Sentinel-2's thirteen bands, one class each.

Two editions are read: all bands, and the RGB edition, three of them stretched to 8 bits.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.archives import archive
from eosfm.datasets.native.holdout import hold_out
from eosfm.datasets.native.listing import class_folders, one_of, read_lists, require
from eosfm.datasets.native.scenes import Part, constant, raster_scene, rgb
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source

NAME = "eurosat"
# The archive, which torchgeo has with the lists, keeps the folders of the machine it was made on.
FOLDER = Path("ds/images/remote_sensing/otherDatasets/sentinel_2/tif")
RGB_FOLDER = Path("2750")
"""The class folders of the RGB edition, as EuroSAT.zip has them."""
FOLDERS = {
    FOLDER: False, Path("EuroSAT_MS"): False, RGB_FOLDER: True, Path("EuroSAT_RGB"): True,
}  # fmt: skip
"""Folders that hold the class folders, and whether it is the RGB edition. The authors' archives at
Zenodo (doi 10.5281/zenodo.7711810) are called as their folders, and have no lists."""
LIST = "eurosat-{}.txt"
"""Name of the file that lists a split's images."""
HELD_OUT = 0.2
"""Share that validates, and that tests, of a copy without these files: as they have it."""

BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A",
)  # fmt: skip
RGB_BANDS = ("B04", "B03", "B02")
CLASSES = (
    "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture",
    "PermanentCrop", "Residential", "River", "SeaLake",
)  # fmt: skip


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every image that the split lists name, in their order.

    All but torchgeo's copy may come without the lists; then every image, class by class.
    """
    folder, is_rgb = _images(root)
    listed = _has_lists(root) or folder == root / FOLDER
    for split, label, stem in _listed(root) if listed else _held_out(folder):
        if is_rgb:
            image = rgb(folder / label / f"{stem}.jpg")
        else:
            image = Part(folder / label / f"{stem}.tif", len(BANDS), dtype="uint16")
        target = constant(CLASSES.index(label), image.file)
        yield raster_scene(stem, split, [image], target)


def edition(root: Path) -> Dataset:
    """The edition of the files below a root: all bands, or red, green and blue in 8 bits."""
    published = DATASET.published if _has_lists(root) else {"train val test": 27_000}
    dataset = replace(DATASET, published=published)
    if not _images(root)[1]:
        return dataset
    return replace(dataset, bands=RGB_BANDS, units=("dn8",) * len(RGB_BANDS), dtype="uint8")


def _images(root: Path) -> tuple[Path, bool]:
    """The folder that holds the class folders, and whether it is of the RGB edition."""
    for folder, is_rgb in FOLDERS.items():
        if (root / folder).is_dir():
            return root / folder, is_rgb
    others = ", ".join(str(folder) for folder in FOLDERS if folder != FOLDER)
    return require(root / FOLDER, f"the class folders of EuroSATallBands.zip, or {others}"), False


def _has_lists(root: Path) -> bool:
    return any((root / LIST.format(split)).exists() for split in SPLITS)


def _listed(root: Path) -> Iterator[tuple[Split, str, str]]:
    """Split, class and stem of the images that the lists name.

    They name the RGB edition's .jpg files; the stem of the other's is the same.
    """
    lists = {split: root / LIST.format(split) for split in SPLITS}
    for split, name in read_lists(lists, r"((\w+)_\d+)\.\w+", "names <class>_<number>.jpg"):
        one_of(name[2], CLASSES, "class", lists[split])
        yield split, name[2], name[1]


def _held_out(folder: Path) -> Iterator[tuple[Split, str, str]]:
    """The same of all images of the class folders, where there are no lists."""
    for path, index in class_folders(folder, CLASSES):
        yield hold_out(f"{NAME}/{path.stem}", HELD_OUT, HELD_OUT), CLASSES[index], path.stem


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
    split_rule="lists of Neumann et al. 2019 (arXiv 1911.06721), as torchgeo publishes them; of a "
    "copy without the lists, 60 : 20 : 20 as in them by the hash of the name",
    source=Source(
        homepage="https://github.com/phelber/EuroSAT",
        licence="MIT",
        commercial=True,
        citation="Helber, Bischke, Dengel, Borth: EuroSAT: A Novel Dataset and Deep Learning "
        "Benchmark for Land Use and Land Cover Classification, IEEE JSTARS 2019, "
        "doi:10.1109/JSTARS.2019.2918242",
        size_gb=2.1,
        archives=archives,
    ),
    reader=scenes,
    published={"train": 16_200, "val": 5_400, "test": 5_400},
    edition=edition,
)
