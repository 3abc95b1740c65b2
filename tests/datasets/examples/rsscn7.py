"""RSSCN7: scenes of seven kinds of land use in images of 400 pixels from Google Earth."""

from collections.abc import Iterator
from pathlib import Path

from eosfm.datasets.native.holdout import hold_out
from eosfm.datasets.native.listing import class_folders
from eosfm.datasets.native.scenes import constant, raster_scene, rgb
from eosfm.datasets.native.spec import Dataset, Scene, Source

FOLDERS = ("aGrass", "bField", "cIndustry", "dRiverLake", "eForest", "fResident", "gParking")


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the images, class by class; a fifth of them test, a tenth validate."""
    for path, index in class_folders(root, FOLDERS):
        id = f"{path.parent.name}/{path.stem}"  # numbers may come again in another folder
        split = hold_out(f"rsscn7/{id}", validate=0.1, test=0.2)
        yield raster_scene(id, split, [rgb(path)], constant(index, path))


DATASET = Dataset(
    name="rsscn7",
    title="RSSCN7",
    kind="classification",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=("grass", "field", "industry", "river or lake", "forest", "resident", "parking"),
    gsd=1.0,
    split_rule="by the hash of the image's name: a fifth tests, a tenth validates",
    source=Source(
        homepage="https://github.com/palewithout/RSSCN7",
        licence="not stated",
        citation="Zou, Ni, Zhang, Wang: Deep Learning Based Feature Selection for Remote Sensing "
        "Scene Classification, IEEE GRSL 2015, doi:10.1109/LGRS.2015.2475299",
        size_gb=0.4,
        manual="download the archive of the homepage and unpack its seven folders",
    ),
    reader=scenes,
)
