"""Builds Lightning's trainer for a specialist, in one process or several."""

import logging
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, TQDMProgressBar
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.plugins.layer_sync import LayerSync
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch import nn

from eosfm.core.errors import EosfmError
from eosfm.nn.backbone import synchronise_batch_norms
from eosfm.tiles.datamodule import TileDataModule
from eosfm.training.callbacks import Checkpoints, EpochLines, Record
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe


def build_trainer(
    recipe: Recipe, record: Record, checkpoint: Path, live: Path | None
) -> lightning.Trainer:
    """A trainer of a recipe's length and with its options.

    Args:
        recipe: What is trained.
        record: Told of every epoch.
        checkpoint: File that an interrupted run leaves.
        live: DVCLive's folder of curves; None keeps none.

    Raises:
        EosfmError: The machine has not the devices that are asked for.
    """
    options = {key: value for key, value in recipe.trainer.items() if key != "threads"}
    gpu = options["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    if options["precision"] is None:
        options["precision"] = "bf16-mixed" if gpu else "32-true"
    terminal = sys.stderr.isatty()
    callbacks: list[lightning.Callback] = [
        record,
        TQDMProgressBar() if terminal else EpochLines(record),
        Checkpoints(checkpoint, record),
    ]
    if recipe.patience is not None:
        callbacks.append(EarlyStopping(record.headline, patience=recipe.patience, mode="max"))
    try:
        trainer = lightning.Trainer(
            **options,
            max_epochs=recipe.epochs,
            # With a short warm-up from random weights, single steps can be too large.
            gradient_clip_val=recipe.method.gradient_norm,
            # Adaptive pooling has no deterministic gradient on GPUs, so there this warns.
            deterministic="warn",
            logger=_logger(live),
            callbacks=callbacks,
            # DVC starts one process, so ignore the environment of a batch system such as SLURM.
            # On several GPUs, batch norms use statistics of the whole batch; torch cannot on CPUs.
            plugins=[LightningEnvironment(), *([_BatchNorms()] if gpu else [])],
            enable_progress_bar=terminal,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
    except MisconfigurationException as error:
        raise EosfmError(
            f"Lightning cannot train with trainer.accelerator {options['accelerator']} and "
            f"trainer.devices {options['devices']} here ({error}); set them to what there is, such "
            "as auto and 1"
        ) from None
    # On its own, deterministic mode also fills every new tensor before it is written to.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return trainer


class _BatchNorms(LayerSync):
    """Lets Lightning replace batch norms where there are several processes."""

    def apply(self, model: nn.Module) -> nn.Module:
        return synchronise_batch_norms(model)

    def revert(self, model: nn.Module) -> nn.Module:
        return model  # evaluated, they are like any other


def fit(
    trainer: lightning.Trainer,
    module: SpecialistModule,
    data: TileDataModule,
    checkpoint: Path | None,
) -> None:
    """Train, from where a checkpoint was saved if there is one.

    Raises:
        SystemExit: The process got SIGTERM. Lightning's own has status 0, as if training were done.
    """
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
    except SIGTERMException:
        raise SystemExit(128 + signal.SIGTERM) from None


def go_on_alone(trainer: lightning.Trainer) -> None:
    """After a fit: end every process but the first, and leave the process group.

    What follows computes on the CPU, which the group's backend may not support.

    Raises:
        SystemExit: With status 0, in every process but the first.
    """
    if torch.distributed.is_initialized():  # with strategy ddp, of one process too
        trainer.strategy.barrier()
        torch.distributed.destroy_process_group()
    if not trainer.is_global_zero:
        raise SystemExit(0)


def quieten() -> None:
    """Silence Lightning's messages that do not concern the user."""
    for logger in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    # Lightning's use of what torch will drop is for its authors to mend.
    warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
    # Tiles are read by memory map; the number of workers is the user's, in params.
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    # The data module begins a resumed run with the right batch.
    warnings.filterwarnings("ignore", ".*your dataloader is not resumable.*")
    # Curves have a point per epoch, however few its steps.
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")


def _logger(live: Path | None) -> Any:
    if live is None:
        return False
    from dvclive.lightning import DVCLiveLogger

    # No dvc.yaml and no experiment of DVCLive's own: the pipeline declares its outputs. No resume
    # either: DVC deletes outputs before it runs a stage, so the record logs all epochs again.
    return DVCLiveLogger(dir=str(live), dvcyaml=None, save_dvc_exp=False)
