"""Frozen features: every tile of a task encoded once, stored, and read back by the heads.

``data/features/<task>/features.json`` says what is there; beside it, per split, lie
``indices.npy`` (positions in the tile store), ``targets.npy`` and one ``level-<k>.npy`` per
pyramid level: (N, T, C, h, w) float16, the channels of all pyramids side by side.
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

from eosfm.catalog.spec import SPLITS, Split
from eosfm.downstream.labels import labelled_subset
from eosfm.ensemble import EosFM, InputSpec, Specialist, load_artifact
from eosfm.errors import EosfmError
from eosfm.params import Params, TaskParams
from eosfm.seeds import derive_seed
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from eosfm.tracking import write_json

Pyramids = list[list[Tensor]]
BATCH = 32


def device() -> torch.device:
    """The first GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Encoded:
    """One split of a task, ready for a head: pyramids and targets by position.

    Attributes:
        pyramids: ``pyramids(positions)`` gives one pyramid per input of the ensemble, each a list
            of (B, T, C, h, w) tensors, float16 where they were stored.
        targets: (N, ...) targets, as :class:`eosfm.tiles.dataset.TileDataset` gives them.
        size: Height and width of the tiles in pixels.
    """

    pyramids: Any
    targets: Tensor
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, positions: np.ndarray) -> tuple[Pyramids, Tensor]:
        """Inputs and targets of some tiles."""
        return self.pyramids(positions), self.targets[torch.from_numpy(positions)]


def task_backbone(
    params: Params, task: TaskParams, store: TileStore, specialists: Sequence[Specialist]
) -> EosFM:
    """The frozen ensemble, told what this task's input is."""
    units = dict(zip(store.bands, store.units, strict=True))
    with warnings.catch_warnings():
        # The features stage says which specialists are skipped; once is enough.
        warnings.filterwarnings("ignore", "skipped specialists")
        backbone = EosFM(
            specialists,
            bands=task.bands,
            adaptation=params.encoding.adaptation,
            standardize=params.encoding.standardize,
            units=[units[name] for name in task.bands],
        )
    return backbone.eval()


def task_tiles(params: Params, task: TaskParams, store: TileStore, split: Split) -> TileDataset:
    """A split of a task's tiles, standardised unless the specialists do that themselves."""
    standardize = params.encoding.standardize == "dataset"
    return TileDataset(store, split, task.bands, standardize=standardize)


def task_indices(params: Params, name: str, store: TileStore, split: Split) -> np.ndarray:
    """Positions of a task's tiles: the labelled share of train, all of val and test."""
    fraction = params.task(name).label_fraction or params.current.protocol.label_fraction
    seed = derive_seed(params.seed, "labels", name)
    return labelled_subset(store, split, fraction if split == "train" else 1.0, seed)


def encode(
    backbone: EosFM, tiles: TileDataset, indices: np.ndarray, progress: str
) -> Iterator[tuple[Pyramids, Tensor]]:
    """Encode tiles batch by batch; pyramids are (B, T, C, h, w) on the CPU in half precision."""
    where = device()
    backbone = backbone.to(where)
    with tqdm(total=len(indices), desc=progress, unit="tile", disable=None, leave=False) as bar:
        for start in range(0, len(indices), BATCH):
            image, target = read(tiles, indices[start : start + BATCH])
            dates = image.shape[1]
            with torch.inference_mode():
                pyramids = backbone.encode(image.flatten(0, 1).to(where))
            yield (
                [[level.half().cpu().unflatten(0, (-1, dates)) for level in p] for p in pyramids],
                target,
            )
            bar.update(len(image))


def read(tiles: TileDataset, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (B, T, C, h, w) and targets of some tiles."""
    samples = tiles.__getitems__([int(i) for i in indices])
    return (
        torch.stack([sample["image"] for sample in samples]),
        torch.stack([torch.as_tensor(sample["target"]) for sample in samples]),
    )


def encode_task(params: Params, name: str, store: TileStore, artifact: Path, out: Path) -> str:
    """Encode a task's tiles with every specialist and store the pyramids.

    Where they would need more than ``encoding.max_gb``, only the manifest is written and
    evaluation encodes as it goes.

    Returns:
        One line for the stage's end.
    """
    task = params.task(name)
    backbone = task_backbone(params, task, store, load_artifact(artifact))
    indices = {split: task_indices(params, name, store, split) for split in SPLITS}
    gigabytes = (
        sum(len(indices[split]) * tile_bytes(backbone, store, task) for split in SPLITS) / 1e9
    )
    stored = gigabytes <= params.encoding.max_gb
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for split in SPLITS:
        (beside / split).mkdir()
        np.save(beside / split / "indices.npy", indices[split])
        if stored:
            tiles = task_tiles(params, task, store, split)
            _store_split(backbone, tiles, indices[split], beside / split)
    write_json(
        beside / "features.json",
        {
            "format": 1,
            "stored": stored,
            "gigabytes": round(gigabytes, 3),
            "inputs": [entry.as_dict() for entry in backbone.inputs],
            "skipped": backbone.skipped,
            "size": store.shape[2:],
        },
    )
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)
    count = sum(len(positions) for positions in indices.values())
    how = f"{gigabytes:.2f} GB" if stored else f"not stored ({gigabytes:.1f} GB > max_gb)"
    skipped = f", cannot be fed: {', '.join(backbone.skipped)}" if backbone.skipped else ""
    return f"{count} tiles, {len(backbone.inputs)} pyramids each, {how}{skipped}"


def tile_bytes(backbone: EosFM, store: TileStore, task: TaskParams) -> int:
    """Bytes of one tile's pyramids in half precision."""
    dates, _, height, width = store.shape
    cells = [-(-height // stride) * -(-width // stride) for stride in (4, 8, 16, 32)]
    per_date = sum(
        channels * cells[level]
        for entry in backbone.inputs
        for level, channels in enumerate(entry.channels)
    )
    return 2 * dates * per_date


def _store_split(backbone: EosFM, tiles: TileDataset, indices: np.ndarray, out: Path) -> None:
    arrays: list[np.memmap] = []
    targets = []
    row = 0
    for pyramids, target in encode(backbone, tiles, indices, f"encode {out.name}"):
        levels = [torch.cat([p[k] for p in pyramids], dim=2).numpy() for k in range(4)]
        if not arrays:
            arrays = [
                np.lib.format.open_memmap(
                    out / f"level-{k}.npy", "w+", np.float16, (len(indices), *level.shape[1:])
                )
                for k, level in enumerate(levels)
            ]
        for array, level in zip(arrays, levels, strict=True):
            array[row : row + len(level)] = level
        targets.append(target.numpy())
        row += len(target)
    np.save(out / "targets.npy", np.concatenate(targets))


def feature_inputs(features: Path) -> list[InputSpec]:
    """What each stored pyramid is: specialist, rule, channels per level."""
    return [InputSpec.from_dict(entry) for entry in _manifest(features)["inputs"]]


def _manifest(features: Path) -> dict[str, Any]:
    path = features / "features.json"
    if not path.exists():
        raise EosfmError(f"{path} not found; run `dvc repro -f features@{features.name}`")
    return json.loads(path.read_text())


def open_split(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path, split: Split
) -> Encoded:
    """One split of a task: read from disk where stored, encoded as it goes otherwise."""
    manifest = _manifest(features)
    size = (int(manifest["size"][0]), int(manifest["size"][1]))
    if manifest["stored"]:
        widths = [entry.channels for entry in feature_inputs(features)]
        levels = [np.load(features / split / f"level-{k}.npy", mmap_mode="r") for k in range(4)]
        targets = torch.from_numpy(np.load(features / split / "targets.npy"))
        return Encoded(lambda positions: _split_levels(levels, widths, positions), targets, size)
    task = params.task(name)
    tiles = task_tiles(params, task, store, split)
    indices = np.load(features / split / "indices.npy")
    backbone = task_backbone(params, task, store, load_artifact(artifact))
    targets = torch.cat(
        [read(tiles, indices[i : i + BATCH])[1] for i in range(0, len(indices), BATCH)]
    )

    def live(positions: np.ndarray) -> Pyramids:
        ((pyramids, _),) = encode(backbone, tiles, indices[positions], "encode")
        return pyramids

    return Encoded(live, targets, size)


def in_memory(backbone: EosFM, tiles: TileDataset, indices: np.ndarray) -> Encoded:
    """Encode some tiles and keep their pyramids in memory."""
    parts = list(encode(backbone, tiles, indices, "encode"))
    pyramids = [
        [torch.cat([part[0][i][k] for part in parts]) for k in range(4)]
        for i in range(len(parts[0][0]))
    ]
    targets = torch.cat([part[1] for part in parts])
    return Encoded(
        lambda positions: [[level[torch.from_numpy(positions)] for level in p] for p in pyramids],
        targets,
        tiles.size,
    )


def _split_levels(
    levels: list[np.ndarray], widths: list[tuple[int, ...]], positions: np.ndarray
) -> Pyramids:
    """Read rows of the stored levels and cut them back into pyramids."""
    rows = [torch.from_numpy(level[positions]) for level in levels]
    cut = [torch.split(row, [width[k] for width in widths], dim=2) for k, row in enumerate(rows)]
    return [[cut[k][i] for k in range(len(levels))] for i in range(len(widths))]
