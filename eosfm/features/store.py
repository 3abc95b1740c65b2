"""Stored features: what lies in ``data/features/<task>``, written and read back.

``features.json`` says what is there; beside it, per split, lie ``indices.npy`` (indices in the tile
store), ``targets.npy``, ``days.npy`` and one ``level-<k>.npy`` per pyramid level: (items, T, C, h,
w) float16, the channels of all pyramids side by side. An item is a tile, or one window of a tile
that is larger than ``protocol.window``. Where features are not stored, there are the indices alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eosfm.core.files import read_json
from eosfm.core.splits import Split
from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import ArrayLevels, FrozenFeatures, Levels
from eosfm.features.windows import Windows

FORMAT = 2
"""Version of what is stored, in ``features.json``."""


@dataclass(frozen=True)
class FeatureStore:
    """A task's features on disk.

    Attributes:
        path: The folder.
        stored: Whether the pyramids are there, or are encoded as they are needed.
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
        return FrozenFeatures(
            ArrayLevels([np.load(path, mmap_mode="r") for path in _level_files(folder)]),
            self.inputs,
            torch.from_numpy(np.load(folder / "targets.npy")),
            torch.from_numpy(np.load(folder / "days.npy")),
            windows,
        )


def write_split(
    folder: Path, count: int, chunks: Iterable[tuple[np.ndarray, Levels, Tensor]], days: Tensor
) -> None:
    """Write the pyramids of one split as they come.

    Args:
        folder: The split's, which is there.
        count: Items in all.
        chunks: Consecutive items, their levels, and the targets of their tiles.
        days: (N, T) by tile.
    """
    arrays: list[np.memmap] = []
    targets = []
    for items, levels, target in chunks:
        if not arrays:
            arrays = [
                np.lib.format.open_memmap(path, "w+", np.float16, (count, *level.shape[1:]))
                for path, level in zip(_level_files(folder), levels, strict=True)
            ]
        for array, level in zip(arrays, levels, strict=True):
            array[items[0] : items[-1] + 1] = level.numpy()
        targets.append(target.numpy())
    np.save(folder / "targets.npy", np.concatenate(targets))
    np.save(folder / "days.npy", days.numpy())


def _level_files(folder: Path) -> list[Path]:
    return [folder / f"level-{k}.npy" for k in range(4)]
