"""Images sorted into one folder per class: the commonest layout of scene classification."""

from collections.abc import Callable, Iterator
from pathlib import Path

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.pairs import classified
from eosfm.datasets.spec import Scene

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def class_folders(
    dataset: str,
    folder: Path,
    classes: tuple[str, ...],
    split: Callable[[str], Split],
    *,
    bands: int = 3,
    dtype: str = "uint8",
) -> Iterator[Scene]:
    """Yield every image of ``folder/<class>/``, class by class, by name.

    Args:
        dataset: Name of the dataset, for errors.
        folder: The folder that holds the class folders.
        classes: Names of the folders in the order of the classes.
        split: Split of a scene by its id, ``<class>_<name without suffix>``; where a dataset
            has no split of its own, :func:`eosfm.datasets.readers.holdout.hold_out` gives one.
        bands: Bands of each image.
        dtype: Numpy dtype of the images.

    Raises:
        EosfmError: A class has no folder or no image, a folder is of no class, or an image is
            damaged.
    """
    require(folder, dataset, f"the class folders, {classes[0]} and so on")
    for found in sorted(path.name for path in folder.iterdir() if path.is_dir()):
        if found not in classes and not found.startswith("."):
            raise EosfmError(
                f"{dataset}: {folder / found} is no class; {suggest(found, classes)}; unpack the "
                "archive again"
            )
    for index, label in enumerate(classes):
        images = require(folder / label, dataset, f"the images of class {label}").iterdir()
        paths = sorted(path for path in images if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise EosfmError(
                f"{dataset}: {folder / label} holds no image ({', '.join(SUFFIXES)}); unpack the "
                "archive again"
            )
        for path in paths:
            name = f"{label}_{path.stem}"
            yield classified(dataset, name, split(name), path, index, bands=bands, dtype=dtype)
