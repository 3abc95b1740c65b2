"""Damage that is done to a small copy of a dataset, and that its reader must refuse in one line.

What may happen to any file (cut off, of another size, a web page) is done to the files of each
dataset in tests/faults/test_datasets.py, and what is said of it is tested where files are read.

A pattern is one of ``Path.glob``, below the copy's root; the first file that it finds is damaged.
"""

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Dataset, Window

Damage = Callable[[Path], object]
Change = Callable[[np.ndarray], np.ndarray]


def refuses(dataset: Dataset, *damages: tuple[str, Damage], **sizes: float) -> Callable[..., None]:
    """A test that each damage is refused, to be given a name in a test module.

    Args:
        dataset: Whose copy is damaged.
        damages: What the line says, a regular expression, and what is done.
        sizes: Of the copy, as the fixture ``tiny`` takes them.
    """

    @pytest.mark.parametrize(("message", "damage"), damages)
    def test(tiny: Callable[..., Path], message: str, damage: Damage) -> None:
        root = tiny(dataset, **sizes)
        damage(root)
        check_refused(dataset, root, message)

    return test


def check_refused(dataset: Dataset, root: Path, message: str) -> None:
    """Some scene of a damaged copy is refused in one line that says what to do."""
    with pytest.raises(EosfmError, match=message) as error:
        for scene in dataset.scenes(root):
            window = Window(0, 0, scene.height, scene.width)
            scene.image(window)
            scene.target(window)
    assert "\n" not in str(error.value)
    assert any(word in str(error.value) for word in ("fetch", "complete copy", "valid", "did you"))


def first(root: Path, pattern: object) -> Path:
    return min(root.glob(str(pattern)))


def remove(pattern: object) -> Damage:
    def damage(root: Path) -> None:
        path = first(root, pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def empty(folder: object) -> Damage:
    """The folder is there, and nothing in it."""

    def damage(root: Path) -> None:
        shutil.rmtree(root / str(folder))
        (root / str(folder)).mkdir()

    return damage


def rename(pattern: object, name: str) -> Damage:
    return lambda root: first(root, pattern).rename(first(root, pattern).with_name(name))


def move(pattern: object, folder: str) -> Damage:
    return lambda root: shutil.move(first(root, pattern), root / folder)


def write(pattern: object, content: str | bytes) -> Damage:
    data = content.encode() if isinstance(content, str) else content
    return lambda root: first(root, pattern).write_bytes(data)


def edit(pattern: object, old: str, new: str) -> Damage:
    """Replace what matches ``old`` in a text."""
    return lambda root: first(root, pattern).write_text(
        re.sub(old, new, first(root, pattern).read_text())
    )


def truncate(pattern: object) -> Damage:
    """Half of the file is left."""

    def damage(root: Path) -> None:
        content = first(root, pattern).read_bytes()
        first(root, pattern).write_bytes(content[: len(content) // 2])

    return damage


def pixels(pattern: object, change: Change) -> Damage:
    return lambda root: rewrite(first(root, pattern), change)


def fill(
    pattern: object,
    value: npt.ArrayLike,
    shape: tuple[int, int, int] | None = None,
    dtype: npt.DTypeLike = None,
) -> Damage:
    """One value everywhere, or one for each band, in the file's own shape and type by default."""
    values = np.reshape(value, (-1, 1, 1))
    return pixels(pattern, lambda old: np.full(shape or old.shape, values, dtype or old.dtype))


def rewrite(path: Path, change: Change, shift: float = 0.0) -> None:
    """Change an image's pixels (C, H, W) where it lies, or so many metres further east."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as raster:
            new, driver, crs, place = change(raster.read()), raster.driver, raster.crs, None
            if crs:
                place = rasterio.Affine.translation(shift, 0) @ raster.transform
        count, height, width = new.shape
        with rasterio.open(
            path, "w", driver=driver, count=count, height=height, width=width, dtype=new.dtype,
            crs=crs, transform=place,
        ) as raster:  # fmt: skip
            raster.write(new)
