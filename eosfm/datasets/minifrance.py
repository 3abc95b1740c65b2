"""MiniFrance: Urban Atlas land use of French conurbations in orthophotos of 0.5 m."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.urbanatlas import (
    CLASSES,
    NO_INFORMATION,
    parse_sheet,
    read_classes,
    read_image,
)
from eosfm.datasets.spec import Dataset, Scene, Source

NAME = "minifrance"
FOLDERS: dict[str, dict[str, Split]] = {
    "labeled_training": {"44": "train", "06": "val"},
    "test": dict.fromkeys(("13", "29", "35", "49", "50", "56", "59", "62", "63"), "test"),
}
"""Folders of images: the départements of their conurbations, and the split of each.

Of the two labelled training conurbations, Nantes and Saint-Nazaire (44) train and Nice (06)
validates; the test partition is the authors'.
"""

LABELS = "labels"


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images, wherever their archives nested them.

    Images lie in ``labeled_training`` and, where it was fetched, ``test``; labels in ``labels``:
    each below any number of folders, the last being the conurbation's.

    Raises:
        EosfmError: A folder or a label is missing, a folder holds no image, or an image is of a
            conurbation that its folder does not have.
    """
    require(root / LABELS, NAME, f"the folder {LABELS} with *_UA2012.tif")
    labels = {
        path.name.removesuffix("_UA2012.tif"): path
        for path in (root / LABELS).rglob("*_UA2012.tif")
    }
    require(root / "labeled_training", NAME, "the folder labeled_training with *.jp2.tif")
    for folder, splits in FOLDERS.items():
        images = sorted((root / folder).rglob("*.tif"))
        if not images and (root / folder).exists():
            raise EosfmError(
                f"{NAME}: {root / folder} holds no <conurbation>/*.tif; unpack its archive again"
            )
        for image in images:
            department = parse_sheet(image, NAME).department
            if department not in splits:
                raise EosfmError(
                    f"{NAME}: {image} is of the département {department}; {folder} has "
                    f"{', '.join(splits)}; move it to its own partition, or remove it"
                )
            yield _scene(image, splits[department], labels)


def _scene(image: Path, split: Split, labels: dict[str, Path]) -> Scene:
    stem = image.name.split(".")[0]
    if stem not in labels:
        raise EosfmError(
            f"{NAME}: {image} has no label; expected {stem}_UA2012.tif below the folder {LABELS}; "
            "unpack the labels' archive again, or remove the image"
        )
    header = read_header(image, 3, "uint8")
    size = (header.height, header.width)
    return Scene(
        id=stem,
        split=split,
        height=header.height,
        width=header.width,
        files=(image, labels[stem]),
        image=partial(read_image, image, size),
        target=partial(read_classes, labels[stem], size, NAME),
        crs=header.crs,
        transform=header.transform,
    )


DATASET = Dataset(
    name=NAME,
    title="MiniFrance",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.5,
    ignore_index=NO_INFORMATION,
    split_rule="by city: Nantes and Saint-Nazaire train, Nice validates, the official test "
    "conurbations test",
    source=Source(
        homepage="https://ieee-dataport.org/open-access/minifrance",
        licence="research use as the dataset's page states; images of IGN under the Licence "
        "Ouverte, labels of Copernicus Urban Atlas 2012",
        citation="Castillo-Navarro, Le Saux, Boulch, Audebert, Lefevre: Semi-Supervised Semantic "
        "Segmentation in Earth Observation: the MiniFrance suite, Machine Learning 2021, "
        "doi 10.1007/s10994-020-05943-y",
        size_gb=200.0,
        manual=(
            "log in at IEEE DataPort, download the labelled training images, the test images and "
            "the labels, and unpack them into the folders labeled_training, test and labels"
        ),
    ),
    scenes=scenes,
)
