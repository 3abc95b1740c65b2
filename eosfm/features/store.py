"""Stored features: what lies in ``data/features/<task>``, written and read back.

``features.json`` says what is there; beside it, per split, lie ``indices.npy`` (indices in the tile
store), ``targets.npy`` in the tile store's dtype, ``days.npy`` and one ``level-<k>.npy`` per
pyramid level: (items, T, C, h, w) float16, the channels of all pyramids side by side; pooled
(:mod:`eosfm.features.pooling`) where an image has one answer. An item is a tile, or one window of a
tile that is larger than ``protocol.window``. Where features are not stored, there are the indices
alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eosfm.core.files import read_json
from eosfm.core.mapped import release
from eosfm.core.splits import Split
from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.source import Levels, StoredLevels
from eosfm.features.windows import Windows

FORMAT = 4
"""Version of what is stored, in ``features.json``."""


@dataclass(frozen=True)
class FeatureStore:
    """A task's features on disk.

    Attributes:
        path: The folder.
        stored: Whether the features are there, or are encoded as they are needed.
        inputs: What each pyramid is.
        skipped: Specialists that the task's bands cannot be given to, and why.
    """

    path: Path
    stored: bool
    inputs: tuple[InputSpec, ...]
    skipped: dict[str, str]

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Read what is there.

        Raises:
            EosfmError: Nothing is, or it is damaged.
        """
        remedy = f"run `dvc repro -f features@{path.name}`"
        facts = read_json(path / "features.json", remedy)
        inputs = tuple(InputSpec.from_dict(entry) for entry in facts["inputs"])
        return cls(path, facts["stored"], inputs, facts["skipped"])

    def split(self, split: Split, windows: Windows) -> FrozenFeatures:
        """One split, of which the pyramids are stored."""
        folder = self.path / split
        levels = [np.load(path, mmap_mode="r") for path in _level_files(folder)]
        targets = np.load(folder / "targets.npy", mmap_mode="r")
        days = torch.from_numpy(np.load(folder / "days.npy"))
        return FrozenFeatures(
            StoredLevels(levels, targets, windows), days, windows, inputs=self.inputs
        )


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
    return np.lib.format.open_memmap(path, "w+", part.dtype, (count, *part.shape[1:]))


def _level_files(folder: Path) -> list[Path]:
    return [folder / f"level-{k}.npy" for k in range(4)]
