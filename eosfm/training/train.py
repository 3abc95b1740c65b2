"""Training one specialist: from a tile store to a specialist file."""

import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

from eosfm.core import tensors
from eosfm.core.bands import find
from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.encoding.specialist import Specialist, save_specialist
from eosfm.kinds import TargetStatistics, gather_classes, get_kind
from eosfm.nn.backbone import build_backbone
from eosfm.params import Params
from eosfm.tiles.datamodule import TileDataModule
from eosfm.tiles.store import TileStore
from eosfm.training.callbacks import Checkpoint, Log, Progress, Record
from eosfm.training.module import SpecialistModule

GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""

STATISTICS_TILES = 2000
"""Training tiles, evenly spread, that the targets' statistics are taken from."""


@dataclass(frozen=True)
class Recipe:
    """A specialist's settings once the scale has had its say."""

    name: str
    backbone: str
    bands: tuple[str, ...]
    loss: str
    pretrained: bool
    epochs: int
    steps_per_epoch: int | None
    batch_size: int
    lr: float
    crop: int | None
    decoder_channels: int
    seed: int
    patience: int | None
    class_weights: str
    stacked: bool
    workers: int


def recipe_for(params: Params, name: str) -> Recipe:
    """Settle a specialist's settings.

    Its own, but for what the scale sets: epochs at most the scale's, batch size and learning rate
    where the scale has them. What stands in its ``train`` comes before both. Pretrained weights
    where both the specialist and the scale ask for them, unless ``backbone.pretrained`` decides.
    """
    own, scale = params.specialist(name), params.current
    train = scale.train.model_copy(update=own.train.given)
    limit = train.epochs or own.epochs
    pretrained = params.backbone.pretrained
    if pretrained is None:
        pretrained = scale.pretrained and own.pretrained
    return Recipe(
        name=name,
        backbone=params.backbone.name,
        bands=own.bands,
        loss=own.loss,
        pretrained=pretrained,
        epochs=limit if "epochs" in own.train.given else min(own.epochs, limit),
        steps_per_epoch=train.steps_per_epoch,
        batch_size=train.batch_size or own.batch_size,
        lr=train.lr or own.lr,
        crop=own.crop,
        decoder_channels=train.decoder_channels,
        seed=derive_seed(params.seed, "train", name),
        patience=train.patience,
        class_weights=own.class_weights,
        stacked=own.date_mode == "stacked",
        workers=train.workers,
    )


def train_specialist(
    params: Params,
    name: str,
    store: TileStore,
    out: Path,
    scratch: Path,
    log: Log,
    head: Path | None = None,
    picture: Path | None = None,
) -> dict[str, Any]:
    """Train a specialist and write its file.

    An interrupted run leaves a checkpoint of a whole epoch in ``scratch``, in a folder named after
    what defines the run: it loses an epoch at most, or about a minute of shorter ones. The next run
    of the same definition resumes from it and ends with the bytes that an uninterrupted one gives.

    Args:
        params: All parameters.
        name: Key of the specialist.
        store: Tiles of its dataset.
        out: The specialist file to write.
        scratch: Folder for checkpoints; what this run puts there is removed at its end.
        log: Called after each epoch with loss and headline score, and the epoch counted from 1.
        head: Where the weights of its head go, for those who want its answers (see
            :mod:`eosfm.training.validate`); None keeps them nowhere.
        picture: The PNG of some predicted validation tiles to draw; None draws none.

    Returns:
        Validation scores of the best epoch, beside ``metric`` (name of the headline score),
        ``trivial`` (that score for the constant answer), ``epoch`` (the best), ``loss`` and
        ``per_class`` (see :func:`eosfm.kinds.gather_classes`).

    Raises:
        EosfmError: A split or a band is missing, the loss does not fit the labels, pretrained
            weights cannot be had, or training diverged.
        SystemExit: With status 0 in every process of a distributed training but the first, which
            goes on alone.
    """
    recipe = recipe_for(params, name)
    if "val" not in store.splits:
        raise EosfmError(
            f"specialist {name}: {store.path} has no validation tiles, which choose the best "
            f"epoch; expected at least one; check the splits of dataset {store.name}"
        )
    _quieten()
    torch.set_float32_matmul_precision("high")
    lightning.seed_everything(recipe.seed, verbose=False)
    statistics = label_statistics(store)
    data = build_data(params, recipe, store)
    module = build_module(recipe, store, statistics)
    record = Record(get_kind(store.kind).headline, log, name, recipe.patience)
    folder = scratch / _run_hash(params, recipe, store)
    trainer = _trainer(params, recipe.epochs, folder, record)
    last = folder / "last.ckpt"
    trainer.fit(module, datamodule=data, ckpt_path=last if last.exists() else None)

    metrics = {
        **gather_classes(record.best, store.classes),
        "metric": record.headline,
        "trivial": _trivial_score(store, data, statistics),
        "epoch": record.best_epoch,
    }
    if not trainer.is_global_zero:
        raise SystemExit(0)  # of several processes, the first alone writes
    save_specialist(out, _specialist(recipe, store, metrics, record))
    if head is not None:
        tensors.write(head, record.best_head)
    if picture is not None:
        from eosfm.training.pictures import draw_predictions

        module.load_state_dict(record.best_weights)
        draw_predictions(module.cpu(), store, recipe.bands, picture)
    shutil.rmtree(folder, ignore_errors=True)
    return metrics


def label_statistics(store: TileStore) -> TargetStatistics:
    """What the training labels are like, from evenly spread tiles."""
    return get_kind(store.kind).target_statistics(
        _training_targets(store), len(store.classes), store.ignore_index
    )


def build_data(params: Params, recipe: Recipe, store: TileStore) -> TileDataModule:
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
    in_chans = len(_channels(recipe, store))
    encoder: Any = build_backbone(recipe.backbone, in_chans, recipe.pretrained)
    dates = 1 if recipe.stacked else store.shape[0]
    channels = kind.merged(encoder.feature_info.channels(), dates)
    head = kind.build_head(
        kind.heads[0], channels, len(store.classes), recipe.decoder_channels, statistics
    )
    class_weights = None
    if recipe.class_weights == "balanced":
        class_weights = kind.class_weights(statistics)
    return SpecialistModule(
        encoder,
        head,
        kind,
        recipe.loss,
        store.classes,
        store.ignore_index,
        recipe.lr,
        class_weights,
        recipe.stacked,
    )


def _trainer(params: Params, epochs: int, folder: Path, record: Record) -> lightning.Trainer:
    options = params.trainer.model_dump()
    if options["precision"] is None:
        gpu = options["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        options["precision"] = "bf16-mixed" if gpu else "32-true"
    trainer = lightning.Trainer(
        **options,
        max_epochs=epochs,
        # A short warm-up from random weights now and then meets a step too far.
        gradient_clip_val=GRADIENT_NORM,
        # Adaptive pooling has no deterministic gradient on GPUs, so there this warns.
        deterministic="warn",
        logger=False,
        callbacks=[record, Progress(record), Checkpoint(folder)],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    # On its own, deterministic mode also fills every new tensor before it is written to.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


def _training_targets(store: TileStore) -> Iterator[np.ndarray]:
    split = store.split("train")
    count = min(len(split), STATISTICS_TILES)
    for index in np.linspace(0, len(split) - 1, count).astype(int):
        yield split.target(int(index))


def _trivial_score(store: TileStore, data: TileDataModule, statistics: TargetStatistics) -> float:
    """The headline score of the constant answer on the validation tiles."""
    kind = get_kind(store.kind)
    metrics = kind.build_metrics(store.classes, store.ignore_index)
    for batch in data.val_dataloader():
        target = kind.target(batch)
        metrics.update(kind.constant_logits(statistics, target), target)
    return metrics.compute()[kind.headline]


def _specialist(
    recipe: Recipe, store: TileStore, metrics: dict[str, Any], record: Record
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
        state_dict=record.best_encoder,
        facts={"dataset": store.name, "task": store.kind, "metrics": metrics, **dates},
    )


def _channels(recipe: Recipe, store: TileStore) -> tuple[str, ...]:
    """The band of each channel of the encoder: the recipe's, once per date that is stacked."""
    return recipe.bands * (store.shape[0] if recipe.stacked else 1)


def _run_hash(params: Params, recipe: Recipe, store: TileStore) -> str:
    """A name for the run: settings, tiles and code that decide its result."""
    package = Path(__file__).parents[1]
    code = sorted(
        file for room in ("specialists", "tasks", "tiles") for file in (package / room).glob("*.py")
    )
    digest = hashlib.sha256()
    settings = [asdict(recipe), params.trainer.model_dump(), torch.__version__]
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for file in (store.path / "store.json", *code):
        digest.update(file.read_bytes())
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
