"""Training one specialist: from a tile store to a specialist file."""

import hashlib
import logging
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar

from eosfm.core import tensors
from eosfm.core.bands import find
from eosfm.core.closure import ROOT, code_hash
from eosfm.core.errors import EosfmError
from eosfm.core.results import TrainResult
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.kinds.scores import gather_classes
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import Specialist, save_specialist
from eosfm.tiles.datamodule import TileDataModule
from eosfm.tiles.store import TileStore
from eosfm.training.callbacks import EpochLines, Patience, Record
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe

GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""


@dataclass(frozen=True)
class Outputs:
    """Where a training's results go, beside the specialist file; None keeps them nowhere.

    Attributes:
        head: The weights of its head, for those who want its answers (see
            :mod:`eosfm.training.validate`).
        picture: A PNG of some predicted validation tiles.
        live: DVCLive's folder of curves.
    """

    head: Path | None = None
    picture: Path | None = None
    live: Path | None = None


def train_specialist(
    recipe: Recipe, store: TileStore, out: Path, scratch: Path, more: Outputs = Outputs()
) -> TrainResult:
    """Train a specialist and write its file.

    An interrupted run leaves a checkpoint of its last whole epoch in ``scratch``, in a folder named
    after what defines the run. The next run of the same definition resumes from it and ends with
    the bytes that an uninterrupted one gives.

    Args:
        recipe: What to train.
        store: Tiles of its dataset.
        out: The specialist file to write.
        scratch: Folder for checkpoints; what this run puts there is removed at its end.
        more: Further files.

    Raises:
        EosfmError: A split or a band is missing, the loss does not fit the labels, pretrained
            weights cannot be had, or training diverged.
        SystemExit: With status 0 in every process of a distributed training but the first, which
            goes on alone.
    """
    if "val" not in store.splits:
        raise EosfmError(
            f"specialist {recipe.name}: {store.path} has no validation tiles, which choose the "
            f"best epoch; expected at least one; check the splits of dataset {store.name}"
        )
    _quieten()
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(recipe.seed, verbose=False)
    statistics = store.target_statistics()
    data = build_data(recipe, store)
    module = build_module(recipe, store, statistics)
    record = Record(get_kind(store.kind).headline, recipe.name)
    folder = scratch / _run_name(recipe, store)
    trainer = _trainer(recipe, folder, record, more.live)
    last = folder / "last.ckpt"
    trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)

    scores = gather_classes(record.best, store.classes)
    per_class = scores.pop("per_class")
    result = TrainResult(
        metric=record.headline,
        score=scores[record.headline],
        constant=_constant_score(store, data, statistics),
        epoch=record.best_epoch,
        scores=scores,
        per_class=per_class,
    )
    if not trainer.is_global_zero:
        raise SystemExit(0)  # of several processes, the first alone writes
    save_specialist(out, _specialist(recipe, store, result, record))
    if more.head is not None:
        tensors.write(more.head, record.best_part("head"))
    if more.picture is not None:
        from eosfm.training.pictures import draw_predictions

        module.load_state_dict(record.best_weights)
        draw_predictions(module.cpu(), store, recipe.bands, more.picture)
    shutil.rmtree(folder, ignore_errors=True)
    return result


def build_data(recipe: Recipe, store: TileStore) -> TileDataModule:
    """The tiles as a specialist sees them."""
    return TileDataModule(
        store,
        recipe.bands,
        recipe.batch_size,
        crop=recipe.crop,
        seed=recipe.seed,
        steps_per_epoch=recipe.steps_per_epoch,
        workers=recipe.workers,
    )


def build_module(
    recipe: Recipe, store: TileStore, statistics: TargetStatistics
) -> SpecialistModule:
    """Encoder and head for a store's labels."""
    kind = get_kind(store.kind)
    encoder: Any = build_backbone(
        recipe.backbone, len(_channels(recipe, store)), pretrained=recipe.pretrained
    )
    dates = 1 if recipe.stacked else store.shape[0]
    head = kind.build_head(
        kind.heads[0],
        kind.merged(encoder.feature_info.channels(), dates),
        len(store.classes),
        recipe.decoder_channels,
        statistics,
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
        recipe.stacked,
    )


def _trainer(recipe: Recipe, folder: Path, record: Record, live: Path | None) -> lightning.Trainer:
    options = dict(recipe.trainer)
    if options["precision"] is None:
        gpu = options["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        options["precision"] = "bf16-mixed" if gpu else "32-true"
    terminal = sys.stderr.isatty()
    callbacks: list[lightning.Callback] = [
        record,
        TQDMProgressBar() if terminal else EpochLines(record),
        ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False),
    ]
    if recipe.patience is not None:
        callbacks.append(Patience(record.headline, patience=recipe.patience, mode="max"))
    trainer = lightning.Trainer(
        **options,
        max_epochs=recipe.epochs,
        # A short warm-up from random weights now and then meets a step too far.
        gradient_clip_val=GRADIENT_NORM,
        # Adaptive pooling has no deterministic gradient on GPUs, so there this warns.
        deterministic="warn",
        logger=_logger(live),
        callbacks=callbacks,
        enable_progress_bar=terminal,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    # On its own, deterministic mode also fills every new tensor before it is written to.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


def _logger(live: Path | None) -> Any:
    if live is None:
        return False
    from dvclive.lightning import DVCLiveLogger

    # No dvc.yaml and no experiment of DVCLive's own: the pipeline declares its outputs. Nor does it
    # resume: DVC deletes outputs before it runs a stage, so the record tells all epochs again.
    return DVCLiveLogger(dir=str(live), dvcyaml=None, save_dvc_exp=False)


def _constant_score(store: TileStore, data: TileDataModule, statistics: TargetStatistics) -> float:
    """The headline score of the constant answer on the validation tiles."""
    kind = get_kind(store.kind)
    metrics = kind.build_metrics(store.classes, store.ignore_index)
    for batch in data.val_dataloader():
        target = kind.target(batch)
        metrics.update(kind.constant_logits(statistics, target), target)
    return metrics.compute()[kind.headline]


def _specialist(
    recipe: Recipe, store: TileStore, result: TrainResult, record: Record
) -> Specialist:
    bands = _channels(recipe, store)
    stored = [str(find(name, store.bands)) for name in bands]
    dates = {"dates": store.shape[0]} if recipe.stacked else {}
    return Specialist(
        name=recipe.name,
        backbone=recipe.backbone,
        in_chans=len(bands),
        bands=bands,
        units=tuple(store.units[store.bands.index(name)] for name in stored),
        mean=tuple(store.mean[name] for name in stored),
        std=tuple(store.std[name] for name in stored),
        state_dict=record.best_part("encoder"),
        facts={
            "dataset": store.name,
            "task": store.kind,
            "metrics": {
                **result.scores,
                "per_class": result.per_class,
                "metric": result.metric,
                "trivial": result.constant,  # the key in files
                "epoch": result.epoch,
            },
            **dates,
        },
    )


def _channels(recipe: Recipe, store: TileStore) -> tuple[str, ...]:
    """The band of each channel of the encoder: the recipe's, once per date that is stacked."""
    return recipe.bands * (store.shape[0] if recipe.stacked else 1)


def _run_name(recipe: Recipe, store: TileStore) -> str:
    """A name for the run: the code, settings and tiles that decide its result."""
    digest = hashlib.sha256(recipe.digest() + (store.path / "store.json").read_bytes())
    digest.update(torch.__version__.encode())
    digest.update(code_hash(ROOT / "stages" / "train.py").encode())
    return f"{recipe.name}-{digest.hexdigest()[:16]}"


def _quieten() -> None:
    """Keep Lightning to what concerns the user."""
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    # Lightning's use of what torch will drop is for its authors to mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
    # Tiles are read by memory map; the number of workers is the user's, in params.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # A resumed run finds its own checkpoint there.
    warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
    # Curves have a point per epoch, however few its steps.
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")
