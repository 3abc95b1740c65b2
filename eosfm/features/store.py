"""Stored features: what lies in ``data/features/<task>``, written and read back.

``features.json`` says what is there, file by file with shape, type and SHA-256. Beside it, per
split, lie ``indices.npy`` (indices in the tile store), ``targets.npy`` in the tile store's dtype,
``days.npy`` and one ``level-<k>.npy`` per pyramid level: (items, T, C, h, w) float16, the channels
of all pyramids side by side; pooled (:mod:`eosfm.features.pooling`) where an image has one answer.
An item is a tile, or one window of a tile that is larger than ``protocol.window``. Where features
are not stored, there are the indices alone.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import read_json
from eosfm.core.mapped import DAMAGED, release, reserve
from eosfm.core.splits import Split
from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.source import Levels, StoredLevels
from eosfm.features.windows import Windows

FORMAT = 6
"""Version of what is stored, in ``features.json``."""


class Stored(NamedTuple):
    """One array on disk."""

    shape: list[int]
    dtype: str
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Stored":
        """Read a file once."""
        array = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(list(array.shape), str(array.dtype), digest)


@dataclass(frozen=True)
class FeatureStore:
    """A task's features on disk.

    Attributes:
        path: The folder.
        stored: Whether the features are there, or are encoded as they are needed.
        inputs: What each pyramid is.
        skipped: Specialists that cannot be fed with the task's bands, and why.
        files: The arrays, by path below the folder; none of a store that was just written.
    """

    path: Path
    stored: bool
    inputs: tuple[InputSpec, ...]
    skipped: dict[str, str]
    files: Mapping[str, Stored] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Read the manifest.

        Raises:
            EosfmError: There is none, it is damaged, or it is of another version.
        """
        manifest = path / "features.json"
        facts = read_json(manifest, remedy(path))
        try:
            if (found := facts["format"]) != FORMAT:
                raise EosfmError(
                    f"{manifest} is of format {found!r}; expected {FORMAT}; {remedy(path)}"
                )
            inputs = tuple(InputSpec.from_dict(entry) for entry in facts["inputs"])
            files = {name: Stored(**entry) for name, entry in facts["files"].items()}
            return cls(path, facts["stored"], inputs, facts["skipped"], files)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise EosfmError(
                f"{manifest} is no manifest of features ({error!r}); {remedy(path)}"
            ) from None

    def split(self, split: Split, windows: Windows) -> FrozenFeatures:
        """One split, of which the pyramids are stored.

        Raises:
            EosfmError: A file is missing or not as the manifest says, or has other windows.
        """
        folder = self.path / split
        for name, stored in self.files.items():
            if name.startswith(f"{split}/"):
                self._check(self.path / name, stored)
        try:
            levels = [np.load(path, mmap_mode="r") for path in _level_files(folder)]
            targets = np.load(folder / "targets.npy", mmap_mode="r")
            days = torch.from_numpy(np.load(folder / "days.npy"))
        except FileNotFoundError as error:
            raise EosfmError(f"{error.filename} not found; {remedy(self.path)}") from None
        if any(len(level) != len(days) * windows.count for level in levels):
            raise EosfmError(
                f"{folder} has {len(levels[0])} items of {len(days)} tiles; expected "
                f"{windows.count} of each; {remedy(self.path)}"
            )
        return FrozenFeatures(
            StoredLevels(levels, targets, windows), days, windows, inputs=self.inputs
        )

    def _check(self, path: Path, stored: Stored) -> None:
        try:
            found = Stored.of(path)
        except DAMAGED as error:
            raise EosfmError(f"{path} cannot be read ({error}); {remedy(self.path)}") from None
        for one, other, what in zip(found, stored, Stored._fields, strict=True):
            if one != other:
                raise EosfmError(f"{path} has {what} {one}; expected {other}; {remedy(self.path)}")


def remedy(path: Path) -> str:
    """How the features of a folder are made again."""
    return f"run `dvc repro -f features@{path.name}`"


def stored_files(folder: Path) -> dict[str, Any]:
    """The arrays below a folder, for its manifest."""
    return {
        path.relative_to(folder).as_posix(): Stored.of(path)._asdict()
        for path in sorted(folder.rglob("*.npy"))
    }


def write_split(
    folder: Path,
    chunks: Iterable[tuple[np.ndarray, Levels, Tensor]],
    days: Tensor,
    windows: Windows,
) -> None:
    """Write the pyramids of one split as they come.

    Args:
        folder: The split's.
        chunks: Consecutive items, all of some tiles, with levels and targets of each.
        days: (N, T) by tile.
        windows: How tiles are cut.
    """
    folder.mkdir(exist_ok=True)
    levels: list[np.memmap] = []
    for items, parts, cut in chunks:
        whole = windows.join(cut)
        if not levels:
            count = len(days) * windows.count
            files = zip(_level_files(folder), parts, strict=True)
            levels = [_create(path, count, part) for path, part in files]
            targets = _create(folder / "targets.npy", len(days), whole)
        for level, part in zip(levels, parts, strict=True):
            level[items[0] : items[-1] + 1] = part.numpy(force=True)
            release(level)
        first = items[0] // windows.count
        targets[first : first + len(whole)] = whole.numpy(force=True)
    np.save(folder / "days.npy", days.numpy())


def _create(path: Path, count: int, like: Tensor) -> np.memmap:
    part = like.numpy(force=True)
    mapped = np.lib.format.open_memmap(path, "w+", part.dtype, (count, *part.shape[1:]))
    with path.open("r+b") as file:
        reserve(file, path.stat().st_size)
    return mapped


def _level_files(folder: Path) -> list[Path]:
    return [folder / f"level-{k}.npy" for k in range(4)]
