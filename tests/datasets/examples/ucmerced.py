"""UC Merced: land use of American cities in 21 classes, squares of 256 pixels of one foot."""

from eosfm.core.splits import SPLITS
from eosfm.datasets.native.spec import Archive, Dataset, Source
from eosfm.datasets.native.torchgeo import scenes_of_torchgeo


def archives() -> tuple[Archive, ...]:
    """The images, and the lists of the splits."""
    from torchgeo.datasets import UCMerced as Facts

    files = {Facts.filename: Facts.md5}
    files |= {Facts.split_filenames[split]: Facts.split_md5s[split] for split in SPLITS}
    return tuple(
        Archive(Facts.url + name, name, f"md5:{md5}", extract="." if ".zip" in name else None)
        for name, md5 in files.items()
    )


DATASET = Dataset(
    name="ucmerced",
    title="UC Merced Land Use",
    kind="classification",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="float32",
    classes=(
        "agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral",
        "denseresidential", "forest", "freeway", "golfcourse", "harbor", "intersection",
        "mediumresidential", "mobilehomepark", "overpass", "parkinglot", "river", "runway",
        "sparseresidential", "storagetanks", "tenniscourt",
    ),
    gsd=0.3,
    source=Source(
        homepage="http://weegee.vision.ucmerced.edu/datasets/landuse.html",
        licence="public domain",
        citation="Yang, Newsam: Bag-of-visual-words and spatial extensions for land-use "
        "classification, ACM SIGSPATIAL 2010, doi:10.1145/1869790.1869829",
        size_gb=0.3,
        archives=archives,
    ),
    reader=scenes_of_torchgeo(
        "UCMerced", {split: {"split": split} for split in SPLITS}, "label", "float32", (256, 256)
    ),
)  # fmt: skip
