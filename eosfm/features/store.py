"""Frozen features: every tile of a task encoded once, stored, and read back by the heads.

``data/features/<task>/features.json`` says what is there; beside it, per split, lie
``indices.npy`` (positions in the tile store), ``targets.npy``, ``days.npy`` and one
``level-<k>.npy`` per pyramid level: (items, T, C, h, w) float16, the channels of all pyramids side
by side. An item is a tile, or one window of a tile that is larger than ``protocol.window``.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.files import write_json
from eosfm.core.seeds import derive_seed
from eosfm.core.splits import SPLITS, Split
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.input import InputSpec
from eosfm.encoding.specialist import Specialist
from eosfm.features.frozen import Encoded, Levels
from eosfm.features.labels import labelled_subset
from eosfm.features.windows import Windows, task_windows
from eosfm.model import EosFM
from eosfm.nn.temporal import days_of, pick_dates
from eosfm.params import Params, TaskParams
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore

BATCH = 32
"""Images that are encoded at once, dates and windows counted."""

STRIDES = (4, 8, 16, 32)


def device() -> torch.device:
    """The first GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Reading:
    """How one split of a task is read from its tiles.

    Attributes:
        tiles: The split's tiles, in the task's bands.
        indices: The tiles in use, by position in the store.
        places: The dates in use.
        windows: How tiles are cut.
    """

    tiles: TileDataset
    indices: np.ndarray
    places: list[int]
    windows: Windows

    def __len__(self) -> int:
        return len(self.indices) * self.windows.count

    def images(self, items: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (B, T, C, h, w) of some items, and the targets of the tiles they are from."""
        count = self.windows.count
        tiles, which = np.unique(items // count, return_inverse=True)
        samples = self.tiles.__getitems__([int(i) for i in self.indices[tiles]])
        images = [torch.as_tensor(sample["image"])[self.places] for sample in samples]
        cut = [
            self.windows.cut(images[tile], int(item) % count)
            for tile, item in zip(which, items, strict=True)
        ]
        return torch.stack(cut), torch.stack([torch.as_tensor(s["target"]) for s in samples])

    def days(self) -> np.ndarray:
        """(N, T) days of the dates in use, NaN where the store does not tell."""
        from pyarrow import parquet

        table = parquet.read_table(self.tiles.tiles.path / "tiles.parquet", columns=["dates"])
        dates = table["dates"].to_pylist()
        stored = self.tiles.store.shape[0]
        return days_of([dates[i] or () for i in self.indices], self.places, stored)

    def chunks(self) -> Iterator[np.ndarray]:
        """All items, whole tiles at a time, few enough to be encoded at once."""
        step = max(1, BATCH // (len(self.places) * self.windows.count))
        for start in range(0, len(self.indices), step):
            yield self.windows.items(np.arange(start, min(start + step, len(self.indices))))


def reading(params: Params, name: str, store: TileStore, split: Split) -> Reading:
    """How a task reads a split: its bands, dates and windows, and the labelled share of train."""
    task, protocol = params.task(name), params.current.protocol
    # Tiles are standardised unless the specialists do that themselves.
    standardize = params.encoding.standardize == "dataset"
    return Reading(
        TileDataset(store, split, task.bands, standardize=standardize),
        task_indices(params, name, store, split),
        task_dates(params, name, store),
        task_windows(protocol, store.kind, (store.shape[2], store.shape[3])),
    )


def task_dates(params: Params, name: str, store: TileStore) -> list[int]:
    """Places of the dates that a task uses; change always has both of its own."""
    if store.kind == "change":
        return list(range(store.shape[0]))
    own, protocol = params.task(name).max_dates, params.current.protocol.max_dates
    limits = [limit for limit in (own, protocol) if limit is not None]
    return pick_dates(store.shape[0], min(limits, default=None))


def task_indices(params: Params, name: str, store: TileStore, split: Split) -> np.ndarray:
    """Positions of a task's tiles: the labelled share of train, all of val and test.

    The share is one per ``params.seed`` and task, the same in every fit, since features are
    stored for it alone.
    """
    if split != "train":
        return np.arange(len(store.split(split)))
    fraction = params.task(name).label_fraction or params.current.protocol.label_fraction
    return labelled_subset(store, split, fraction, derive_seed(params.seed, "labels", name))


def task_backbone(
    params: Params,
    task: TaskParams,
    store: TileStore,
    specialists: Sequence[Specialist],
    **options: Any,
) -> EosFM:
    """The ensemble, told what this task's input is; ``options`` are those of EosFM."""
    units = dict(zip(store.bands, store.units, strict=True))
    with warnings.catch_warnings():
        # The features stage says which specialists are skipped; once is enough.
        warnings.filterwarnings("ignore", "skipped specialists")
        backbone = EosFM.from_specialists(
            specialists,
            bands=task.bands,
            adaptation=params.encoding.adaptation,
            standardize=params.encoding.standardize,
            units=[units[name] for name in task.bands],
            **options,
        )
    return backbone.eval()


def encode(backbone: EosFM, source: Reading, items: np.ndarray) -> tuple[Levels, Tensor]:
    """Encode some items: levels (B, T, C, h, w) in half precision on the CPU, and tile targets."""
    images, targets = source.images(items)
    where = device()
    with torch.inference_mode():
        pyramids = backbone.to(where).encode(images.flatten(0, 1).to(where))
        levels = [torch.cat([p[k] for p in pyramids], dim=1) for k in range(len(STRIDES))]
    return [level.half().cpu().unflatten(0, (-1, images.shape[1])) for level in levels], targets


def encode_all(
    backbone: EosFM, source: Reading, progress: str
) -> Iterator[tuple[np.ndarray, Levels, Tensor]]:
    """Encode a split chunk by chunk: items, levels, targets."""
    total = len(source)
    with tqdm(total=total, desc=progress, unit="tile", disable=None, leave=False) as bar:
        for items in source.chunks():
            yield items, *encode(backbone, source, items)
            bar.update(len(items))


def encode_task(params: Params, name: str, store: TileStore, artifact: Path, out: Path) -> str:
    """Encode a task's tiles with every specialist and store the pyramids.

    Where they would need more than ``encoding.max_gb``, or encoders are fine-tuned, only the
    manifest is written and evaluation encodes as it goes.

    Returns:
        One line for the stage's end.
    """
    specialists = load_artifact(artifact)
    backbone = task_backbone(params, params.task(name), store, specialists, copy=False)
    sources = {split: reading(params, name, store, split) for split in SPLITS}
    gigabytes = sum(len(source) * item_bytes(backbone, source) for source in sources.values()) / 1e9
    stored = gigabytes <= params.encoding.max_gb and not params.current.protocol.fine_tune
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    for split, source in sources.items():
        (beside / split).mkdir(parents=True)
        np.save(beside / split / "indices.npy", source.indices)
        if stored:
            _store_split(backbone, source, beside / split)
    write_json(
        beside / "features.json",
        {
            "format": 2,
            "stored": stored,
            "gigabytes": round(gigabytes, 3),
            # What is encoded as needed depends on these as well.
            "encoding": {
                "adaptation": params.encoding.adaptation,
                "standardize": params.encoding.standardize,
            },
            "inputs": [entry.as_dict() for entry in backbone.inputs],
            "skipped": backbone.skipped,
            "windows": sources["test"].windows.count,
            "dates": sources["test"].places,
        },
    )
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)
    how = f"{gigabytes:.2f} GB" if stored else f"not stored ({gigabytes:.1f} GB, see max_gb)"
    skipped = f", cannot be fed: {', '.join(backbone.skipped)}" if backbone.skipped else ""
    count = sum(len(source.indices) for source in sources.values())
    return f"{count} tiles, {len(backbone.inputs)} pyramids each, {how}{skipped}"


def item_bytes(backbone: EosFM, source: Reading) -> int:
    """Bytes of one item's pyramids in half precision."""
    height, width = source.windows.size
    cells = [-(-height // stride) * -(-width // stride) for stride in STRIDES]
    per_date = sum(
        channels * cells[level]
        for entry in backbone.inputs
        for level, channels in enumerate(entry.channels)
    )
    return 2 * len(source.places) * per_date


def _store_split(backbone: EosFM, source: Reading, out: Path) -> None:
    arrays: list[np.memmap] = []
    targets = []
    for items, levels, target in encode_all(backbone, source, f"encode {out.name}"):
        if not arrays:
            arrays = [
                np.lib.format.open_memmap(
                    out / f"level-{k}.npy", "w+", np.float16, (len(source), *level.shape[1:])
                )
                for k, level in enumerate(levels)
            ]
        for array, level in zip(arrays, levels, strict=True):
            array[items[0] : items[-1] + 1] = level.numpy()
        targets.append(target.numpy())
    np.save(out / "targets.npy", np.concatenate(targets))
    np.save(out / "days.npy", source.days())


def feature_inputs(features: Path) -> tuple[InputSpec, ...]:
    """What each stored pyramid is: specialist, rule, channels per level."""
    return tuple(InputSpec.from_dict(entry) for entry in _manifest(features)["inputs"])


def _manifest(features: Path) -> dict[str, Any]:
    path = features / "features.json"
    if not path.exists():
        raise EosfmError(f"{path} not found; run `dvc repro -f features@{features.name}`")
    return json.loads(path.read_text())


def open_split(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path, split: Split
) -> Encoded:
    """One split of a task: read from disk where stored, encoded as it goes otherwise."""
    if not _manifest(features)["stored"]:
        source = reading(params, name, store, split)
        specialists = load_artifact(artifact)
        backbone = task_backbone(params, params.task(name), store, specialists, copy=False)
        return live(backbone, source)
    levels = [
        np.load(features / split / f"level-{k}.npy", mmap_mode="r") for k in range(len(STRIDES))
    ]
    return Encoded(
        lambda items: [torch.from_numpy(level[items]) for level in levels],
        feature_inputs(features),
        torch.from_numpy(np.load(features / split / "targets.npy")),
        torch.from_numpy(np.load(features / split / "days.npy")),
        task_windows(params.current.protocol, store.kind, (store.shape[2], store.shape[3])),
    )


def live(backbone: EosFM, source: Reading) -> Encoded:
    """A split that is encoded anew whenever it is read."""
    firsts = [source.windows.items(np.array([tile]))[:1] for tile in range(len(source.indices))]
    targets = [source.images(first)[1] for first in firsts]
    return Encoded(
        lambda items: encode(backbone, source, items)[0],
        tuple(backbone.inputs),
        torch.cat(targets),
        torch.from_numpy(source.days()),
        source.windows,
    )


def in_memory(backbone: EosFM, source: Reading) -> Encoded:
    """Encode a split and keep its pyramids in memory."""
    parts = list(encode_all(backbone, source, "encode"))
    levels = [torch.cat([part[1][k] for part in parts]) for k in range(len(STRIDES))]
    return Encoded(
        lambda items: [level[torch.from_numpy(items)] for level in levels],
        tuple(backbone.inputs),
        torch.cat([part[2] for part in parts]),
        torch.from_numpy(source.days()),
        source.windows,
    )
