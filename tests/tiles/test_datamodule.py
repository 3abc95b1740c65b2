"""Loaders: which tiles come when, and that a resumed run sees what it would have seen."""

from itertools import chain

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import Subset

from eosfm.tiles.datamodule import EpochSampler, TileDataModule, whole_batches
from eosfm.tiles.dataset import TileDataset

RGB = ("red", "green", "blue")


def indices(loader, epoch):
    loader.sampler.set_epoch(epoch)
    return [batch["index"].tolist() for batch in loader]


def flat(batches):
    return list(chain.from_iterable(batches))


def test_one_pass_without_repetition(store):
    batches = indices(TileDataModule(store, RGB, batch_size=7).train_dataloader(), 0)
    assert [len(batch) for batch in batches] == [7, 7, 7]
    assert len(set(flat(batches))) == 21


def test_steps_beyond_one_pass(store):
    loader = TileDataModule(store, RGB, batch_size=5, steps_per_epoch=12).train_dataloader()
    drawn = flat(indices(loader, 0))
    assert len(loader) == 12 and len(drawn) == 60
    assert set(drawn[:24]) == set(drawn[24:48]) == set(range(24))
    assert drawn[:24] != drawn[24:48]


def test_fewer_tiles_than_a_batch(store):
    batches = indices(TileDataModule(store, RGB, batch_size=32).train_dataloader(), 0)
    assert [len(batch) for batch in batches] == [32]


def test_batches_follow_seed_and_epoch(store):
    def draw(seed, epoch):
        return indices(TileDataModule(store, RGB, 8, seed=seed).train_dataloader(), epoch)

    assert draw(0, 3) == draw(0, 3)
    assert draw(0, 3) != draw(0, 4)
    assert draw(0, 3) != draw(1, 3)


def test_processes_share_an_epoch(store):
    dataset = TileDataset(store, "train", RGB)
    parts = [list(EpochSampler(dataset, 6, None, 0, 2, rank)) for rank in (0, 1)]
    assert [len(part) for part in parts] == [12, 12]
    assert sorted(parts[0] + parts[1]) == [(tile, 0) for tile in range(24)]


def test_each_look_at_a_tile_in_an_epoch_is_another(store):
    loader = TileDataModule(store, RGB, 24, crop=8, steps_per_epoch=6).train_dataloader()
    passes = [dict(zip(batch["index"].tolist(), batch["image"], strict=True)) for batch in loader]
    for tile in range(24):
        assert len({tuple(seen[tile].flatten().tolist()) for seen in passes}) > 1


def test_validation_and_test_are_whole_and_plain(store):
    module = TileDataModule(store, RGB, batch_size=5, crop=8, steps_per_epoch=1)
    for loader in (module.val_dataloader(), module.test_dataloader()):
        batches = list(loader)
        assert flat(batch["index"].tolist() for batch in batches) == list(range(12))
        assert batches[0]["image"].shape == (5, 1, 3, 16, 16)
        assert torch.equal(batches[0]["image"], next(iter(loader))["image"])


class Recorder(lightning.LightningModule):
    """Notes the pixels of every training batch."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen = []

    def training_step(self, batch, _):
        self.seen.append((self.current_epoch, batch["index"].tolist(), batch["image"].sum().item()))
        return self.layer(batch["image"].mean().reshape(1, 1)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_run_sees_the_same_batches(store, tmp_path, workers):
    def run(epochs, checkpoint=None):
        model = Recorder()
        saving = ModelCheckpoint(
            tmp_path / f"{epochs}", filename="last", save_on_train_epoch_end=True
        )
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            callbacks=[saving],
            default_root_dir=tmp_path,
            enable_progress_bar=False,
            enable_model_summary=False,
            limit_val_batches=0,
        )
        module = TileDataModule(store, RGB, 8, crop=8, steps_per_epoch=2, workers=workers)
        trainer.fit(model, datamodule=module, ckpt_path=checkpoint)
        return model.seen

    whole = run(3)
    assert len({str(entry[1:]) for entry in whole}) == 6
    first = run(2)
    rest = run(4, tmp_path / "2" / "last.ckpt")
    assert first == whole[:4]
    assert rest[:2] == whole[4:]
    assert [entry[0] for entry in rest] == [2, 2, 3, 3]


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_processes_validate_every_tile_once_in_as_many_batches(replicas):
    for tiles in range(replicas, 30):
        for size in (1, 2, 4):
            shares = [
                whole_batches(tiles, size * replicas, replicas, rank) for rank in range(replicas)
            ]
            seen = [tile for share in shares for batch in share for tile in batch]
            assert sorted(seen) == list(range(tiles))
            assert len({len(share) for share in shares}) == 1
            assert all(1 <= len(batch) <= size + 1 for share in shares for batch in share)
    assert whole_batches(5, 2) == [[0, 1], [2, 3], [4]]


def test_indices_may_be_numpys(store):
    dataset = TileDataset(store, "train", RGB)
    chosen = Subset(dataset, np.array([3, 5]))
    assert [sample["index"] for sample in chosen] == [3, 5]
