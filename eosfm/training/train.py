"""Training one specialist: from a tile store to a specialist file."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.kinds.scores import gather_classes
from eosfm.kinds.targets import STATISTICS_TILES
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import Specialist, load_specialist, save_specialist
from eosfm.nn.start import FILE, build_started
from eosfm.tiles.datamodule import TileDataModule
from eosfm.tiles.store import TileStore
from eosfm.training.callbacks import Record
from eosfm.training.checkpoint import checkpoint_of, others, resumable
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.result import TrainResult
from eosfm.training.trainer import build_trainer, fit, go_on_alone, quieten


@dataclass(frozen=True)
class Outputs:
    """Output files besides the specialist file; None writes none.

    Attributes:
        head: The weights of its head, to score it again (see
            :mod:`eosfm.training.validate`).
        picture: A PNG of some predicted validation tiles.
        live: DVCLive's folder of curves.
    """

    head: Path | None = None
    picture: Path | None = None
    live: Path | None = None


def train_specialist(
    recipe: Recipe,
    store: TileStore,
    out: Path,
    scratch: Path,
    more: Outputs = Outputs(),
    start: Path = FILE,
) -> TrainResult:
    """Train a specialist and write its file.

    An interrupted run leaves a checkpoint, at most about a minute old, in ``scratch``, in a folder
    named after what defines the run. The next run of the same definition resumes from it and ends
    with the bytes that an uninterrupted one gives.

    Args:
        recipe: What to train.
        store: Tiles of its dataset.
        out: The specialist file to write.
        scratch: Folder for checkpoints; what this run puts there is removed at its end.
        more: Further files.
        start: File of the start weights, read where the recipe begins with them.

    Returns:
        The validation scores of the epoch that is kept, and the score of a constant answer.

    Raises:
        EosfmError: A split or a band is missing, the loss does not fit the labels, the start
            weights are missing or of another backbone, training diverged, or the processes cannot
            share its batches.
        SystemExit: With status 0 in every process of a distributed training but the first, which
            goes on alone.
    """
    if "val" not in store.splits:
        raise EosfmError(
            f"specialist {recipe.name}: {store.path} has no validation tiles, which choose the "
            f"best epoch; expected at least one; check the splits of dataset {store.name}"
        )
    quieten()
    torch.set_num_threads(recipe.trainer["threads"])
    # Where this is not set, Lightning gives each of several processes a share of the cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(recipe.trainer["threads"]))
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(recipe.seed, verbose=False)
    statistics = store.target_statistics()
    # A regression has no counts, and what is ignored is never counted.
    counted = enumerate(zip(store.classes, statistics.counts, strict=False))
    if absent := [name for k, (name, n) in counted if not n and k != store.ignore_index]:
        looked_at = min(len(store.split("train")), STATISTICS_TILES)
        print(
            f"train {recipe.name}: none of {looked_at} training tiles of {store.name}, evenly "
            f"spread, shows {', '.join(absent)}; are its class codes right?",
            flush=True,
        )
    data = build_data(recipe, store)
    begin = start if recipe.pretrained else None
    module = build_module(recipe, store, statistics, begin)
    headline = get_kind(store.kind).headline
    record = Record(headline, recipe.name, last=recipe.method.keep == "last")
    checkpoint = checkpoint_of(recipe, store, begin, scratch)
    if found := others(checkpoint):
        print(
            f"train {recipe.name}: settings, code or tiles are not those of the interrupted run in "
            f"{found[0]}, so it starts anew (the length sets each step's learning rate)"
        )
    trainer = build_trainer(recipe, record, checkpoint, more.live)
    _check_shares(recipe, store, trainer.world_size)
    fit(trainer, module, data, resumable(checkpoint))
    go_on_alone(trainer)

    result = _result(recipe, record, store, statistics)
    save_specialist(out, _specialist(recipe, store, result, record, begin))
    if more.head is not None:
        tensors.write(more.head, record.best_part("head"))
    if more.picture is not None:
        from eosfm.training.pictures import draw_predictions

        module.load_state_dict(record.best_weights)
        shown: Any = build_data(recipe, store).val_dataloader().dataset
        draw_predictions(module.cpu(), shown, more.picture)
    shutil.rmtree(checkpoint.parent, ignore_errors=True)
    return result


def build_data(recipe: Recipe, store: TileStore) -> TileDataModule:
    """The tiles as a specialist sees them.

    Raises:
        EosfmError: The recipe scales by numbers for another unit, or not by one for each band.
    """
    units = dict(zip(store.bands, store.units, strict=True))
    recipe.require_units({name: units[store.usable(name)] for name in recipe.bands}, store.path)
    return TileDataModule(
        store,
        recipe.bands,
        recipe.batch_size,
        crop=recipe.crop,
        moves=recipe.method.augmentation.moves,
        seed=recipe.seed,
        steps_per_epoch=recipe.steps_per_epoch,
        workers=recipe.workers,
        scaling=recipe.scaling(),
    )


def build_module(
    recipe: Recipe, store: TileStore, statistics: TargetStatistics, begin: Path | None = None
) -> SpecialistModule:
    """Encoder and head for a store's labels, random except for the weights that ``begin`` holds."""
    kind = get_kind(store.kind)
    channels = len(_channels(recipe, store))
    encoder: Any = (
        build_started(begin, recipe.backbone, channels)
        if begin
        else build_backbone(recipe.backbone, channels)
    )
    dates = 1 if recipe.stacked else store.shape[0]
    head = kind.build_head(
        recipe.head(kind),
        kind.merged(encoder.feature_info.channels(), dates),
        len(store.classes),
        recipe.decoder_channels,
        statistics,
        recipe.method.dropout,
    )
    weights = kind.class_weights(statistics) if recipe.balanced else None
    return SpecialistModule(
        encoder,
        head,
        kind,
        kind.build_loss(recipe.loss, store.ignore_index, weights),
        store.classes,
        store.ignore_index,
        recipe.lr,
        recipe.method,
        recipe.seed,
        statistics.unit,
        recipe.stacked,
    )


def _check_shares(recipe: Recipe, store: TileStore, processes: int) -> None:
    """Refuse batches and splits that several processes cannot share."""
    recipe.require_shares(get_kind(store.kind), processes)
    if len(store.split("val")) < processes:
        raise EosfmError(
            f"specialist {recipe.name}: {len(store.split('val'))} validation tiles for {processes} "
            "processes; expected one for each at least; lower trainer.devices"
        )


def _result(
    recipe: Recipe, record: Record, store: TileStore, statistics: TargetStatistics
) -> TrainResult:
    """The scores of the best epoch, beside that of the constant answer."""
    scores = gather_classes(record.best, store.classes)
    per_class = scores.pop("per_class")
    return TrainResult(
        metric=record.headline,
        score=scores[record.headline],
        constant=_constant_score(recipe, store, statistics),
        epoch=record.best_epoch,
        scores=scores,
        per_class=per_class,
    )


def _constant_score(recipe: Recipe, store: TileStore, statistics: TargetStatistics) -> float:
    """The headline score on all validation tiles of what training labels say of any image."""
    kind = get_kind(store.kind)
    answers = [
        (seen, kind.build_metrics(store.classes, store.ignore_index))
        for seen in kind.constants(statistics)
    ]
    for batch in build_data(recipe, store).val_dataloader():
        target = kind.target(batch)
        for seen, metrics in answers:
            metrics.update(kind.constant_logits(seen, target), target)
    return max(metrics.compute()[kind.headline] for _, metrics in answers)


def _specialist(
    recipe: Recipe,
    store: TileStore,
    result: TrainResult,
    record: Record,
    begin: Path | None,
) -> Specialist:
    bands = _channels(recipe, store)
    stored = [store.usable(name) for name in bands]
    count = store.shape[0] if recipe.stacked else 1
    more: dict[str, Any] = {"dates": count} if recipe.stacked else {}
    if begin is not None:  # licence and data of the start weights carry over to the specialist
        facts = load_specialist(begin).facts
        more["start"] = {key: facts[key] for key in ("source", "licence") if facts.get(key)}
    mean, std = recipe.scaling() or (
        tuple(values[store.usable(name)] for name in recipe.bands)
        for values in (store.mean, store.std)
    )
    return Specialist(
        name=recipe.name,
        backbone=recipe.backbone,
        in_chans=len(bands),
        bands=bands,
        units=tuple(store.units[store.bands.index(name)] for name in stored),
        mean=mean * count,
        std=std * count,
        state_dict=record.best_part("encoder"),
        facts={
            "dataset": store.name,
            "reader": recipe.reader,
            "source": store.source,
            "task": store.kind,
            "metrics": {
                **result.scores,
                "per_class": result.per_class,
                "metric": result.metric,
                "trivial": result.constant,  # the key in files
                "epoch": result.epoch,
            },
            **more,
        },
    )


def _channels(recipe: Recipe, store: TileStore) -> tuple[str, ...]:
    """The band of each encoder channel: the recipe's bands, repeated for each stacked date."""
    return recipe.bands * (store.shape[0] if recipe.stacked else 1)
