"""What the ensemble must beat: random weights, its best member, training from scratch.

Each baseline uses the head, protocol, labels and seed of the evaluation, and one fixed fusion
(1x1 convolution over all pyramids), so that it does not depend on ``fusion.*``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eosfm.downstream.evaluate import make_trial
from eosfm.downstream.features import (
    Encoded,
    Pyramids,
    feature_inputs,
    in_memory,
    open_split,
    read,
    task_backbone,
    task_indices,
    task_tiles,
)
from eosfm.downstream.fit import Probe, fit, merge_dates, score, task_head
from eosfm.ensemble import Fuser, InputSpec, load_artifact, randomize
from eosfm.params import Params
from eosfm.seeds import derive_seed
from eosfm.specialists.backbone import build_backbone
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore

SCREENING = {"epochs": 1, "steps_per_epoch": 50}
"""Length of the short fits that find the best single specialist on the validation split."""


def run_baselines(
    params: Params, name: str, store: TileStore, features: Path, artifact: Path
) -> dict[str, dict[str, Any]]:
    """Score every baseline of a task.

    Returns:
        By baseline (``random``, ``single``, ``scratch``): ``val`` and ``test`` metrics, the
        ``best_epoch``, and for ``single`` the ``specialist``.
    """
    splits = [
        open_split(params, name, store, features, artifact, split)
        for split in ("train", "val", "test")
    ]
    inputs = feature_inputs(features)
    return {
        "random": random_weights(params, name, store, artifact),
        "single": best_single(params, name, store, splits, inputs),
        "scratch": from_scratch(params, name, store),
    }


def random_weights(params: Params, name: str, store: TileStore, artifact: Path) -> dict[str, Any]:
    """The same ensemble before any training."""
    task = params.task(name)
    seed = derive_seed(params.seed, "random", name)
    specialists = randomize(load_artifact(artifact), seed)
    backbone = task_backbone(params, task, store, specialists)
    splits = [
        in_memory(
            backbone,
            task_tiles(params, task, store, split),
            task_indices(params, name, store, split),
        )
        for split in ("train", "val", "test")
    ]
    return _fit_probe(params, name, store, splits, backbone.inputs)


def best_single(
    params: Params, name: str, store: TileStore, splits: list[Encoded], inputs: list[InputSpec]
) -> dict[str, Any]:
    """The specialist that does best alone.

    Every specialist gets a short fit; the best on the validation split gets the whole protocol.
    """
    by_name = {
        specialist: [i for i, entry in enumerate(inputs) if entry.name == specialist]
        for specialist in dict.fromkeys(entry.name for entry in inputs)
    }
    metric = params.task(name).metric
    sign = -1 if metric == "rmse" else 1
    screened = {}
    for specialist, chosen in by_name.items():
        own = [_only(split, chosen) for split in splits]
        result = _fit_probe(params, name, store, own, [inputs[i] for i in chosen], screening=True)
        screened[specialist] = sign * result["val"][metric]
    best = max(screened, key=lambda specialist: screened[specialist])
    own = [_only(split, by_name[best]) for split in splits]
    result = _fit_probe(params, name, store, own, [inputs[i] for i in by_name[best]])
    return {**result, "specialist": best}


def from_scratch(params: Params, name: str, store: TileStore) -> dict[str, Any]:
    """One backbone of the same kind, trained on the task's labels alone."""
    task = params.task(name)
    splits = [
        Images(TileDataset(store, split, task.bands), task_indices(params, name, store, split))
        for split in ("train", "val", "test")
    ]
    trial = make_trial(params, name, store, splits[0].size)
    torch.manual_seed(trial.seed)
    model = Scratch(
        params.backbone.name, store, task.bands, task.head, trial.protocol.decoder_channels
    )
    scores, epoch = fit(model, splits[0], splits[1], trial)
    return {"val": scores, "test": score(model, splits[2], trial), "best_epoch": epoch}


class Images:
    """A split of a task as standardised images."""

    def __init__(self, tiles: TileDataset, indices: np.ndarray) -> None:
        self.tiles = tiles
        self.indices = indices
        self.size = tiles.size

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (B, T, C, h, w) and targets."""
        return read(self.tiles, self.indices[positions])


class Scratch(nn.Module):
    """A backbone and the task's head, both trained."""

    def __init__(
        self,
        backbone: str,
        store: TileStore,
        bands: Sequence[str],
        head: str,
        decoder_channels: int,
    ) -> None:
        super().__init__()
        self.kind = store.kind
        self.encoder = build_backbone(backbone, len(bands), pretrained=False)
        channels = self.encoder.feature_info.channels()  # type: ignore[union-attr,operator]
        self.head = task_head(store, head, channels, decoder_channels, store.shape[0])

    def forward(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits from images (B, T, C, h, w)."""
        (height, width), dates = image.shape[-2:], image.shape[1]
        # The encoder halves five times; a side of 60 px becomes 64.
        padding = (0, -width % 32, 0, -height % 32)
        maps = self.encoder(nn.functional.pad(image.flatten(0, 1), padding, mode="replicate"))
        return self.head(merge_dates(maps, dates, self.kind), size)


def _fit_probe(
    params: Params,
    name: str,
    store: TileStore,
    splits: Sequence[Encoded],
    inputs: Sequence[InputSpec],
    *,
    screening: bool = False,
) -> dict[str, Any]:
    """Fit the fixed fusion and the task's head on frozen pyramids; no test while screening."""
    trial = make_trial(params, name, store, splits[0].size)
    if screening:
        trial = replace(trial, protocol=trial.protocol.model_copy(update=SCREENING))
    torch.manual_seed(trial.seed)
    fuser = Fuser(list(inputs), fusion="conv1x1", normalize="layer")
    head, width = params.task(name).head, trial.protocol.decoder_channels
    probe = Probe(fuser, store, head, width, store.shape[0])
    scores, epoch = fit(probe, splits[0], splits[1], trial)
    result: dict[str, Any] = {"val": scores, "best_epoch": epoch}
    return result if screening else result | {"test": score(probe, splits[2], trial)}


def _only(split: Encoded, chosen: list[int]) -> Encoded:
    """The same tiles with some of the pyramids."""

    def pyramids(positions: np.ndarray) -> Pyramids:
        every = split.pyramids(positions)
        return [every[i] for i in chosen]

    return Encoded(pyramids, split.targets, split.size)
