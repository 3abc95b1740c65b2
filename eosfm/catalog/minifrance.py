"""MiniFrance: Urban Atlas land use of French conurbations in orthophotos of 0.5 m."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from eosfm.catalog.shared.geotiff import read_header, write_geotiff
from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.urbanatlas import (
    CLASSES,
    CRS,
    NO_INFORMATION,
    Sheet,
    draw,
    land_use,
    parse_sheet,
    read_classes,
    read_image,
    sheet_name,
)
from eosfm.catalog.spec import Dataset, Scene, Simulation, Source, Split
from eosfm.errors import EosfmError
from eosfm.simulation import observe

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
SIMULATED = {
    "train": Sheet("44", 295, 6715),
    "val": Sheet("06", 1010, 6320),
    "test": Sheet("35", 340, 6790),
}
"""The sheet from which a simulated copy goes east, by split."""


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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images and labels, from west to east in each conurbation."""
    step_km = int(-(-simulation.size * simulation.gsd // 5000)) * 5
    for folder, splits in FOLDERS.items():
        for split in dict.fromkeys(splits.values()):
            for index in range(simulation.scenes[split]):
                start = SIMULATED[split]
                sheet = start._replace(easting=start.easting + step_km * index)
                _write_scene(root, folder, sheet, (simulation.seed, NAME, split), index, simulation)
    (root / LABELS).mkdir(parents=True, exist_ok=True)


def _write_scene(
    root: Path,
    folder: str,
    sheet: Sheet,
    key: tuple[int | str, ...],
    index: int,
    simulation: Simulation,
) -> None:
    land = draw((*key, index), simulation.size, simulation.gsd, index)
    image = observe(land, (*key, index), DATASET.bands, units="dn8").image
    city = f"D0{sheet.department}"
    stem = sheet_name(sheet)
    origin = (sheet.easting * 1000.0, sheet.northing * 1000.0)
    for path, pixels in (
        (root / folder / city / f"{stem}.jp2.tif", image),
        (root / LABELS / city / f"{stem}_UA2012.tif", land_use(land, index)[None]),
    ):
        write_geotiff(path, pixels, simulation.gsd, origin, CRS)


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
    simulate=simulate,
)
