"""Any ``NonGeoDataset`` of torchgeo as scenes.

torchgeo reads whole images, as float32, and drops georeference and dates. Where these matter, or
where images are large, a reader of the native files is the better one.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.mapped import DAMAGED
from eosfm.core.splits import Split
from eosfm.datasets.native.labels import boxes_in
from eosfm.datasets.native.listing import FAULTS
from eosfm.datasets.native.spec import Scene, Window

KEPT = 6
"""Items kept decoded: an image and its target are asked for apart, by several threads."""
UNREADABLE = (*DAMAGED, *FAULTS)
"""What torchgeo lets through of damaged files, each class with parsers of its own."""


def scenes_of_torchgeo(
    name: str,
    splits: Mapping[Split, Mapping[str, Any]],
    target: str,
    dtype: str,
    size: tuple[int, int] | None = None,
) -> Callable[[Path], Iterator[Scene]]:
    """A dataset's reader, made of torchgeo's class, which is imported when the reader is called.

    A scene is named after its first file; after its number where the class does not tell files.

    Args:
        name: Class in ``torchgeo.datasets``. Its samples hold ``image``, (C, H, W) or
            (T, C, H, W).
        splits: Our splits, and what the class is called with for each, besides ``root``.
        target: Key of the target in the samples: ``label``, ``mask``, or ``bbox_xyxy`` (with the
            classes of the boxes under ``label``).
        dtype: Numpy dtype of the images in the native files; torchgeo makes them float32.
        size: Height and width of all images; None where they differ: each is then read once more,
            when it is listed.
    """

    def scenes(root: Path) -> Iterator[Scene]:
        if target not in TARGETS:
            hint = suggest(target, list(TARGETS))
            raise EosfmError(f"unknown target {target!r} of torchgeo's {name}; {hint}")
        for split, options in splits.items():
            items = _Items(name, root, options, dtype, size)
            for index, (label, files) in items.listing(split):
                height, width = size or items.image(index).shape[-2:]
                yield Scene(
                    id=label,
                    split=split,
                    height=height,
                    width=width,
                    files=files,
                    image=partial(_image, items, index),
                    target=partial(TARGETS[target], items, index),
                )

    return scenes


class _Items:
    """The items of one split, the last few of them kept."""

    def __init__(
        self,
        name: str,
        root: Path,
        options: Mapping[str, Any],
        dtype: str,
        size: tuple[int, int] | None,
    ) -> None:
        import torchgeo.datasets
        from torchgeo.datasets import DependencyNotFoundError

        self.name, self.root, self.dtype, self.size = name, root, dtype, size
        if not hasattr(torchgeo.datasets, name):
            hint = suggest(name, torchgeo.datasets.__all__)
            raise EosfmError(f"torchgeo has no dataset {name!r}; {hint}")
        try:
            self.dataset = getattr(torchgeo.datasets, name)(root=str(root), **options)
        except (AssertionError, TypeError, ValueError) as error:  # how it refuses arguments
            said = ", ".join(f"{key}={value!r}" for key, value in options.items())
            raise EosfmError(
                f"torchgeo's {name} refuses {said} ({_said(error)}); correct the reader"
            ) from None
        except UNREADABLE as error:
            raise EosfmError(
                f"torchgeo's {name} cannot read {root} ({_said(error)}); expected a complete copy "
                "in the layout that torchgeo documents; fetch it again"
            ) from None
        except DependencyNotFoundError as error:
            raise self._lacks(error) from None
        self.sample = lru_cache(maxsize=KEPT)(self._sample)

    def listing(self, split: Split) -> list[tuple[int, tuple[str, tuple[Path, ...]]]]:
        """Index, name and files of each item, sorted by name: folders come in any order."""
        files = [self._files(index) for index in range(len(self.dataset))]
        names = [str(paths[0].relative_to(self.root).with_suffix("")) for paths in files if paths]
        if len(set(names)) < len(files):
            names = [f"{split}/{index:07d}" for index in range(len(files))]
        entries = zip(names, (paths or (self.root,) for paths in files), strict=True)
        return sorted(enumerate(entries), key=lambda entry: entry[1])

    def image(self, index: int) -> np.ndarray:
        """The whole image (T, C, H, W) in the dtype of its files.

        Raises:
            EosfmError: The item cannot be read, has another size, or other values than the dtype
                has room for.
        """
        pixels = self.value(index, "image")
        with np.errstate(invalid="ignore"):
            image = pixels.astype(self.dtype)
        if not np.array_equal(image, pixels, equal_nan=True):
            raise EosfmError(
                f"torchgeo's {self.name} gives item {index} the value "
                f"{pixels[image != pixels][0]:g}; expected those of {self.dtype}; correct the "
                "dataset's dtype (float32 where the class resizes images)"
            )
        if self.size and image.shape[-2:] != self.size:
            raise EosfmError(
                f"torchgeo's {self.name} gives item {index} the shape {image.shape}; expected "
                f"{self.size[0]}x{self.size[1]} px; correct the dataset's size, or leave it out"
            )
        return image if image.ndim == 4 else image[np.newaxis]

    def value(self, index: int, key: str) -> np.ndarray:
        """What the class gives of an item under a key.

        Raises:
            EosfmError: The item cannot be read, or has no such key.
        """
        sample = self.sample(index)
        if key not in sample:
            raise EosfmError(
                f"torchgeo's {self.name} gives item {index} no {key!r}, only {', '.join(sample)}; "
                "correct the reader, or leave out a split that has no labels"
            )
        return np.asarray(sample[key])

    def _lacks(self, error: Exception) -> EosfmError:
        """What torchgeo says of a package that is not installed begins with its name."""
        package = str(error).split(" is not installed")[0]
        return EosfmError(
            f"torchgeo's {self.name} needs the package {package}, which is not installed; run "
            f"`pip install {package}`"
        )

    def _sample(self, index: int) -> Mapping[str, Any]:
        from torchgeo.datasets import DependencyNotFoundError

        try:
            return self.dataset[index]
        except DependencyNotFoundError as error:
            raise self._lacks(error) from None
        except UNREADABLE as error:
            files = ", ".join(str(path) for path in self._files(index))
            raise EosfmError(
                f"{files or self.root} cannot be read by torchgeo's {self.name} ({_said(error)}); "
                "fetch it again"
            ) from None

    def _files(self, index: int) -> tuple[Path, ...]:
        """The files of an item below the root, as far as the class lists them."""
        lists = (getattr(self.dataset, name, None) for name in ("samples", "files"))
        found: list[Path] = []
        todo = [next((entries[index] for entries in lists if isinstance(entries, list)), None)]
        while todo:
            entry = todo.pop(0)
            if isinstance(entry, Mapping):
                todo += entry.values()
            elif isinstance(entry, (list, tuple)):
                todo += entry
            elif isinstance(entry, (str, Path)) and Path(entry).is_relative_to(self.root):
                found.append(Path(entry))
        return tuple(found)


def _said(error: Exception) -> str:
    """An error in one line; of some, as a missing key's, the text says nothing by itself."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"


def _image(items: _Items, index: int, window: Window) -> np.ndarray:
    return window.cut(items.image(index)).copy()


def _mask(items: _Items, index: int, window: Window) -> np.ndarray:
    mask = items.value(index, "mask")
    if mask.ndim < 2 or mask.size != np.prod(mask.shape[-2:]):
        raise EosfmError(
            f"torchgeo's {items.name} gives item {index} a mask of shape {mask.shape}; expected "
            "one of height and width; write a reader of the native files"
        )
    return window.cut(mask.reshape(mask.shape[-2:])).copy()


def _label(items: _Items, index: int, window: Window) -> np.ndarray:
    label = items.value(index, "label")
    with np.errstate(invalid="ignore"):
        integers = label.astype(np.uint8 if label.ndim else np.int64)
    if (integers != label).any():
        raise EosfmError(
            f"torchgeo's {items.name} gives item {index} the label {label.ravel()[:4].tolist()}; "
            "expected a class, or a flag per class; write a reader of the native files"
        )
    return integers


def _boxes(items: _Items, index: int, window: Window) -> np.ndarray:
    corners = items.value(index, "bbox_xyxy").astype(np.float32)
    classes = items.value(index, "label").astype(np.float32).reshape(-1, 1)
    if corners.size != 4 * len(classes):
        raise EosfmError(
            f"torchgeo's {items.name} gives item {index} boxes of shape {corners.shape} for "
            f"{len(classes)} labels; expected x_min, y_min, x_max, y_max of each; write a reader "
            "of the native files"
        )
    corners = corners.reshape(-1, 4)
    size = items.size or items.image(index).shape[-2:]
    return boxes_in(np.hstack([corners, classes]), size, window)


TARGETS = {"label": _label, "mask": _mask, "bbox_xyxy": _boxes}
"""How a target is read, by its key in a sample."""
