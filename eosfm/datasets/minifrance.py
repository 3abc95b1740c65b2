"""MiniFrance: Urban Atlas land use of French conurbations in orthophotos of 0.5 m."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.core.splits import Split
from eosfm.datasets.native.listing import listed, matching, one_of, pair_all, require
from eosfm.datasets.native.scenes import Part, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.datasets.native.urbanatlas import (
    CITATION,
    CLASSES,
    LAND_USE,
    NO_INFORMATION,
    parse_sheet,
)

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
    each below any number of folders, the last being the département's. Images of places that Urban
    Atlas does not map have no label and are left out.
    """
    top = require(root / LABELS, f"the folder {LABELS} with *_UA2012.tif")
    labels = {path.name: path for path in matching(top, "**/*_UA2012.tif")}
    pairs: dict[str, set[str]] = {}
    for folder, splits in FOLDERS.items():
        if folder == "test" and not (root / folder).exists():
            continue
        images = listed(root / folder, "**/*.tif", "<département>/*.tif")
        labelled: dict[str, bool] = {}
        for image in images:
            department = parse_sheet(image).department
            one_of(department, list(splits), "département", image)
            stem = image.name.split(".")[0]
            label = labels.get(f"{stem}_UA2012.tif")
            labelled[department] = labelled.get(department, False) or label is not None
            if label is not None:
                target = Part(label, prepare=LAND_USE)
                yield raster_scene(stem, splits[department], [rgb(image)], target)
        for department, found in labelled.items():
            if not found:
                require(root / LABELS / f"{department}-*_UA2012.tif", "labels of its images")
        pairs[folder] = {image.name.split(".")[0] for image in images}
    for folder, stems in pairs.items():
        own = (path for path in labels.values() if path.name.split("-")[0] in FOLDERS[folder])
        pair_all(stems, own, "_UA2012.tif")


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
        commercial=False,
        citation=CITATION,
        size_gb=200.0,
        manual="log in at IEEE DataPort, download the labelled training images, the test images "
        "and the labels, and unpack them into the folders labeled_training, test and labels",
    ),
    reader=scenes,
)
