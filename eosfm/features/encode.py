"""Encoding a task's tiles: once for the store of features, or as they are needed."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eosfm.core.files import atomic, write_json
from eosfm.core.splits import SPLITS, Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import EnsembleEncoder, build_encoder
from eosfm.encoding.input import InputSpec
from eosfm.features.frozen import ArrayLevels, FrozenFeatures, Levels, LevelSource
from eosfm.features.reading import Reading, read_split
from eosfm.features.store import FORMAT, FeatureStore, write_split
from eosfm.features.task import TaskInput
from eosfm.nn.backbone import STRIDES
from eosfm.nn.specialist import Specialist


def device() -> torch.device:
    """The first GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def task_encoder(
    task: TaskInput, specialists: Sequence[Specialist], freeze: bool = True, copy: bool = True
) -> EnsembleEncoder:
    """The ensemble, told what this task's input is (see :func:`build_encoder`)."""
    with warnings.catch_warnings():
        # The features stage says which specialists are skipped; once is enough.
        warnings.filterwarnings("ignore", "skipped specialists")
        encoder = build_encoder(
            specialists,
            bands=task.bands,
            adaptation=task.adaptation,
            standardize=task.standardize,
            units=task.units,
            freeze=freeze,
            copy=copy,
        )
    return encoder.eval()


def encode(
    encoder: EnsembleEncoder,
    reading: Reading,
    items: np.ndarray,
    pyramids: Sequence[int] | None = None,
) -> tuple[Levels, Tensor]:
    """Encode some items: levels (B, T, C, h, w) in half precision on the CPU, and tile targets.

    Args:
        encoder: The ensemble.
        reading: The split.
        items: Which of its items.
        pyramids: Indices of the pyramids that are wanted; None wants all.
    """
    images, targets = reading.images(items)
    where = device()
    with torch.inference_mode():
        encoded = encoder.to(where).encode(images.flatten(0, 1).to(where), pyramids)
        levels = [torch.cat(parts, dim=1) for parts in zip(*encoded, strict=True)]
    return [level.half().cpu().unflatten(0, (-1, images.shape[1])) for level in levels], targets


def encode_all(
    encoder: EnsembleEncoder, reading: Reading, progress: str
) -> Iterator[tuple[np.ndarray, Levels, Tensor]]:
    """Encode a split chunk by chunk: items, levels, targets."""
    total = len(reading)
    with tqdm(total=total, desc=progress, unit="tile", disable=None, leave=False) as bar:
        for items in reading.chunks():
            yield items, *encode(encoder, reading, items)
            bar.update(len(items))


@dataclass(frozen=True)
class LiveLevels(LevelSource):
    """Levels that are encoded anew whenever they are read, by the specialists in use."""

    encoder: EnsembleEncoder
    reading: Reading
    pyramids: tuple[int, ...]

    def levels(self, items: np.ndarray) -> Levels:
        """Encode some items."""
        return encode(self.encoder, self.reading, items, self.pyramids)[0]

    def only(self, inputs: Sequence[InputSpec], chosen: Sequence[int]) -> "LiveLevels":
        """Encode fewer pyramids."""
        return replace(self, pyramids=tuple(self.pyramids[index] for index in chosen))


def live_features(encoder: EnsembleEncoder, reading: Reading) -> FrozenFeatures:
    """A split that is encoded as it is read: in memory are its targets alone."""
    return FrozenFeatures(
        LiveLevels(encoder, reading, tuple(range(len(encoder.inputs)))),
        encoder.inputs,
        reading.targets(),
        reading.days(),
        reading.windows,
    )


def features_in_memory(encoder: EnsembleEncoder, reading: Reading) -> FrozenFeatures:
    """A split that is encoded now and kept in memory."""
    _, levels, targets = zip(*encode_all(encoder, reading, "encode"), strict=True)
    return FrozenFeatures(
        ArrayLevels([torch.cat(parts).numpy() for parts in zip(*levels, strict=True)]),
        encoder.inputs,
        torch.cat(targets),
        reading.days(),
        reading.windows,
    )


def open_features(task: TaskInput, features: Path, artifact: Path) -> Splits[FrozenFeatures]:
    """A task's features: read from disk where they are stored, encoded as they are read elsewhere.

    Args:
        task: The task.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
    """
    store = FeatureStore.open(features)
    if store.stored:
        return Splits.of(lambda split: store.split(split, task.windows))
    encoder = task_encoder(task, load_artifact(artifact), copy=False)
    return Splits.of(lambda split: live_features(encoder, read_split(task, split)))


def encode_task(task: TaskInput, artifact: Path, out: Path, max_gb: float) -> str:
    """Encode a task's tiles with every specialist and store the pyramids.

    Args:
        task: The task.
        artifact: The ensemble.
        out: ``data/features/<task>``.
        max_gb: Where the pyramids would need more, only the manifest is written, and evaluation
            encodes as it goes.

    Returns:
        One line for the stage's end.
    """
    encoder = task_encoder(task, load_artifact(artifact), copy=False)
    readings = Splits.of(partial(read_split, task))
    gigabytes = sum(len(r) * item_bytes(encoder, r) for r in readings) / 1e9
    stored = gigabytes <= max_gb
    with atomic(out) as beside:
        for split, reading in zip(SPLITS, readings, strict=True):
            folder = beside / split
            folder.mkdir(parents=True)
            np.save(folder / "indices.npy", reading.indices)
            if stored:
                chunks = encode_all(encoder, reading, f"encode {split}")
                write_split(folder, len(reading), chunks, reading.days())
        write_json(
            beside / "features.json",
            {
                "format": FORMAT,
                "stored": stored,
                "gigabytes": round(gigabytes, 3),
                # What is encoded as needed depends on these as well.
                "encoding": {"adaptation": task.adaptation, "standardize": task.standardize},
                "inputs": [spec.as_dict() for spec in encoder.inputs],
                "skipped": encoder.skipped,
                "windows": task.windows.count,
                "dates": task.dates,
            },
        )
    how = f"{gigabytes:.2f} GB" if stored else f"not stored ({gigabytes:.1f} GB, see max_gb)"
    skipped = f", skipped: {', '.join(encoder.skipped)}" if encoder.skipped else ""
    tiles = sum(len(reading.indices) for reading in readings)
    return f"{tiles} tiles, {len(encoder.inputs)} pyramids each, {how}{skipped}"


def item_bytes(encoder: EnsembleEncoder, reading: Reading) -> int:
    """Bytes of one item's pyramids in half precision."""
    height, width = reading.windows.size
    cells = [-(-height // stride) * -(-width // stride) for stride in STRIDES]
    per_date = sum(
        channels * cells[level]
        for spec in encoder.inputs
        for level, channels in enumerate(spec.channels)
    )
    return 2 * len(reading.dates) * per_date
