"""Encoding a task's tiles: once for the store of features, or as they are needed."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eosfm.core.files import atomic, temporary_folder, write_json
from eosfm.core.splits import SPLITS, Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import EnsembleEncoder, build_encoder
from eosfm.encoding.input import InputSpec
from eosfm.features import processes
from eosfm.features.device import autocast
from eosfm.features.frozen import SCRATCH, FrozenFeatures
from eosfm.features.pooling import pool
from eosfm.features.reading import BATCH, Reading, read_split
from eosfm.features.source import Derived, Levels, Request
from eosfm.features.store import FORMAT, FeatureStore, stored_files, write_split
from eosfm.features.task import TaskInput
from eosfm.nn.pyramid import STRIDES
from eosfm.nn.specialist import Specialist


def task_encoder(
    task: TaskInput,
    specialists: Sequence[Specialist],
    freeze: bool = True,
    copy: bool = True,
    spectral: bool = True,
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
            spectral=spectral and task.standardize == "dataset",
        )
    return encoder.eval()


def encode(
    encoder: EnsembleEncoder, images: Tensor, pyramids: Sequence[int] | None = None
) -> Levels:
    """Encode images (B, T, C, h, w): levels (B, T, C', h', w') in half precision, on their device.

    Args:
        encoder: The ensemble.
        images: On any device; the encoder follows.
        pyramids: Indices of the pyramids that are wanted; None wants all.
    """
    if encoder.device != images.device:  # going through all weights takes a while
        encoder.to(images.device)
    parts = []
    with torch.no_grad(), autocast():
        for some in images.flatten(0, 1).split(BATCH):
            encoded = encoder.encode(some, pyramids)
            parts.append([torch.cat(level, dim=1).half() for level in zip(*encoded, strict=True)])
    return [torch.cat(p).unflatten(0, (-1, images.shape[1])) for p in zip(*parts, strict=True)]


def encode_all(
    encoder: EnsembleEncoder, reading: Reading, pools: bool, progress: str
) -> Iterator[tuple[np.ndarray, Levels, Tensor]]:
    """Encode a split chunk by chunk: items, levels (pooled if asked), targets of their windows."""
    chunks = reading.chunks()
    with tqdm(total=len(reading), desc=progress, unit="tile", disable=None, leave=False) as bar:
        for (items, _), (images, targets) in zip(chunks, reading.stream(chunks), strict=True):
            levels = encode(encoder, images)
            yield items, pool(levels, encoder.inputs) if pools else levels, targets
            bar.update(len(items))


@dataclass(frozen=True)
class LiveLevels(Derived[Levels]):
    """Levels that are encoded anew whenever images are read, by the specialists in use."""

    encoder: EnsembleEncoder
    pyramids: tuple[int, ...]
    pools: bool

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[Levels, Tensor]]:
        """Encode some items, while loader processes read the next ones."""
        inputs = [self.encoder.inputs[index] for index in self.pyramids]
        for images, targets in self.source.stream(requests):
            levels = encode(self.encoder, images, self.pyramids)
            yield pool(levels, inputs) if self.pools else levels, targets

    def only(self, inputs: Sequence[InputSpec], chosen: Sequence[int]) -> "LiveLevels":
        """Encode fewer pyramids."""
        return replace(self, pyramids=tuple(self.pyramids[index] for index in chosen))


def live_features(encoder: EnsembleEncoder, pools: bool, reading: Reading) -> FrozenFeatures:
    """A split that is encoded as it is read, and pooled if asked: nothing of it stays in memory."""
    source = LiveLevels(reading, encoder, tuple(range(len(encoder.inputs))), pools)
    return FrozenFeatures(
        source, reading.days(), reading.windows, True, reading.repeat, encoder.inputs
    )


@contextmanager
def scratch_features(
    encoder: EnsembleEncoder, readings: Splits[Reading], max_gb: float, pools: bool
) -> Iterator[Splits[FrozenFeatures]]:
    """Features for this stage alone: in temporary files where they fit, else encoded on the fly.

    Args:
        encoder: The ensemble.
        readings: How each split of the task is read.
        max_gb: Most gigabytes of temporary files.
        pools: Whether to pool them.
    """
    if gigabytes(encoder, readings, pools) > max_gb:
        yield readings.map(partial(live_features, encoder, pools))
        return
    with temporary_folder(SCRATCH / "encoded") as own:

        def store_all() -> Path:
            for split, reading in zip(SPLITS, readings, strict=True):
                store_split(encoder, reading, pools, own / split, "encode")
            return own

        folder = processes.from_first(store_all)
        store = FeatureStore(folder, True, encoder.inputs, encoder.skipped)
        opened = Splits.of(lambda split: store.split(split, readings.train.windows))
        yield replace(opened, train=replace(opened.train, repeat=readings.train.repeat))


def open_features(
    task: TaskInput, features: Path, artifact: Path, maps: bool = False
) -> Splits[FrozenFeatures]:
    """A task's features: read from disk where they are stored, else encoded on the fly.

    Args:
        task: The task.
        features: ``data/features/<task>``.
        artifact: The ensemble, for features that are not stored.
        maps: Whether maps are needed even where averages are what is stored.
    """
    store, pools = FeatureStore.open(features), task.pools and not maps
    if store.stored and pools == task.pools:
        opened = Splits.of(lambda split: store.split(split, task.windows))
        return replace(opened, train=replace(opened.train, repeat=task.repeat))
    encoder = task_encoder(task, load_artifact(artifact), copy=False)
    return Splits.of(lambda split: live_features(encoder, pools, read_split(task, split)))


def encode_task(task: TaskInput, artifact: Path, out: Path, max_gb: float) -> str:
    """Encode a task's tiles with every specialist and store the pyramids, or their averages.

    Args:
        task: The task.
        artifact: The ensemble.
        out: ``data/features/<task>``.
        max_gb: Most gigabytes to store. Above it, only the manifest and tile indices are written,
            and evaluation encodes on the fly.

    Returns:
        One line for the stage's end.
    """
    encoder = task_encoder(task, load_artifact(artifact), copy=False)
    readings = Splits.of(partial(read_split, task))
    needed = gigabytes(encoder, readings, task.pools)
    stored = needed <= max_gb
    with atomic(out) as beside:
        for split, reading in zip(SPLITS, readings, strict=True):
            folder = beside / split
            folder.mkdir(parents=True)
            np.save(folder / "indices.npy", reading.indices)
            if stored:
                store_split(encoder, reading, task.pools, folder, f"encode {split}")
        write_json(
            beside / "features.json",
            {
                "format": FORMAT,
                "stored": stored,
                "pooled": task.pools,
                "gigabytes": round(needed, 3),
                # What is encoded as needed depends on these as well.
                "encoding": {"adaptation": task.adaptation, "standardize": task.standardize},
                "inputs": [spec.as_dict() for spec in encoder.inputs],
                "skipped": encoder.skipped,
                "windows": task.windows.count,
                "dates": task.dates,
                "files": stored_files(beside),
            },
        )
    how = f"{needed:.2f} GB" if stored else f"not stored ({needed:.1f} GB, see max_gb)"
    skipped = f", skipped: {', '.join(encoder.skipped)}" if encoder.skipped else ""
    tiles = sum(len(reading.indices) for reading in readings)
    return f"{tiles} tiles, {len(encoder.inputs)} pyramids each, {how}{skipped}"


def store_split(
    encoder: EnsembleEncoder, reading: Reading, pools: bool, folder: Path, progress: str
) -> None:
    """Encode a split and write its levels, targets and days."""
    chunks = encode_all(encoder, reading, pools, progress)
    write_split(folder, chunks, reading.days(), reading.windows)


def gigabytes(encoder: EnsembleEncoder, readings: Splits[Reading], pools: bool) -> float:
    """What the features of all splits take in half precision."""
    each = item_bytes(encoder.inputs, readings.train.task, pools)
    return sum(map(len, readings)) * each / 1e9


def item_bytes(inputs: Sequence[InputSpec], task: TaskInput, pools: bool) -> int:
    """Bytes of one item's pyramids in half precision, or of their averages."""
    height, width = (1, 1) if pools else task.windows.size
    cells = [-(-height // stride) * -(-width // stride) for stride in STRIDES]
    per_date = sum(
        channels * cells[level] for spec in inputs for level, channels in enumerate(spec.channels)
    )
    return 2 * len(task.dates) * per_date
