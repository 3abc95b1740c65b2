"""A stock torchgeo trainer takes our datamodule."""

from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.tiles.datamodule import TileDataModule
from eosfm.tiles.store import TileStore
from tests.tiles.conftest import draw, draw_scenes, make_scene, make_store

RGB = ("red", "green", "blue")


def one_step(task: lightning.LightningModule, store: TileStore, folder: Path) -> dict[str, Any]:
    """Train and validate one step, and give what the task logged."""
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_val_batches=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    data = TileDataModule(store, RGB, batch_size=4, steps_per_epoch=1, single_date=True)
    before = {key: value.clone() for key, value in task.state_dict().items()}
    trainer.fit(task, datamodule=data)
    assert any(not torch.equal(before[key], value) for key, value in task.state_dict().items())
    return trainer.callback_metrics


def test_segmentation(tmp_path: Path) -> None:
    from torchgeo.trainers import SemanticSegmentationTask

    store = make_store(tmp_path, draw_scenes(64, 64), 32)
    task = SemanticSegmentationTask(
        model="unet", backbone="resnet18", in_channels=3, num_classes=4, ignore_index=None
    )
    logged = one_step(task, store, tmp_path)
    assert logged["val_loss"].isfinite()


def test_classification(tmp_path: Path) -> None:
    from torchgeo.trainers import ClassificationTask

    scenes = [
        make_scene(f"s{i}", split, draw(i, 32, 32), np.int64(i % 4), per_pixel=False)
        for i, split in enumerate(["train"] * 6 + ["val"] * 2)
    ]
    store = make_store(tmp_path, scenes, None, "classification")
    task = ClassificationTask(model="resnet18", in_channels=3, num_classes=4)
    logged = one_step(task, store, tmp_path)
    assert logged["val_loss"].isfinite()


def test_several_dates_are_no_single_one(tmp_path: Path) -> None:
    scenes = [make_scene("s", "train", draw(0, 8, 8, dates=2), np.zeros((8, 8), np.uint8))]
    data = TileDataModule(make_store(tmp_path, scenes, 8), RGB, batch_size=1, single_date=True)
    with pytest.raises(EosfmError, match="has 2 dates; expected one"):
        data.train_dataloader()
