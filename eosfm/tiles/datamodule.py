"""Loaders of one tile store for Lightning, whose batches follow from (seed, epoch) alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, DistributedSampler

from eosfm.tiles.dataset import TileDataset, collate
from eosfm.tiles.store import TileStore


class EpochSampler(DistributedSampler[int]):
    """Permutations of the tiles drawn from (seed, epoch), as many as an epoch's batches need.

    Being a ``DistributedSampler``, it is left alone by Lightning, which would otherwise wrap it
    and never pass the epoch on.

    Args:
        dataset: What is sampled; it is told the epoch as well.
        batch_size: Tiles per batch and process.
        steps: Batches per epoch and process; None is one pass, at least one batch.
        seed: Root of the permutations.
        replicas: Number of processes.
        rank: Which of them this is.
        epoch: The epoch to begin with.
    """

    dataset: TileDataset

    def __init__(
        self,
        dataset: TileDataset,
        batch_size: int,
        steps: int | None,
        seed: int,
        replicas: int = 1,
        rank: int = 0,
        epoch: int = 0,
    ) -> None:
        super().__init__(dataset, replicas, rank, seed=seed)
        steps = steps or max(1, len(dataset) // (batch_size * replicas))
        self.num_samples = steps * batch_size
        self.total_size = self.num_samples * replicas
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the permutations and of the dataset's crops and turns."""
        super().set_epoch(epoch)
        self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        passes = -(-self.total_size // len(self.dataset))
        order = np.concatenate([rng.permutation(len(self.dataset)) for _ in range(passes)])
        return iter(order[self.rank : self.total_size : self.num_replicas].tolist())


class TileDataModule(lightning.LightningDataModule):
    """Loaders of the three splits; only training is cropped, augmented and shuffled.

    A run that resumes at an epoch's start sees the batches an uninterrupted one would.

    Args:
        store: Where the tiles are.
        bands: Names in the order wanted.
        batch_size: Tiles per batch and process.
        crop: Size of the random training windows; None for whole tiles.
        augment: Whether to turn and flip training tiles.
        seed: Root of sampling, crops and augmentation.
        steps_per_epoch: Training batches per epoch; None is one pass.
        workers: Loader processes per split.
        standardize: As in :class:`TileDataset`.
        single_date: As in :class:`TileDataset`; torchgeo's trainers want it.
    """

    def __init__(
        self,
        store: TileStore,
        bands: Sequence[str],
        batch_size: int,
        crop: int | None = None,
        augment: bool = True,
        seed: int = 0,
        steps_per_epoch: int | None = None,
        workers: int = 0,
        standardize: bool = True,
        single_date: bool = False,
    ) -> None:
        super().__init__()
        self.store = store
        self.bands = tuple(bands)
        self.options = {"standardize": standardize, "single_date": single_date}
        self.batch_size = batch_size
        self.crop = crop
        self.augment = augment
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.workers = workers

    def train_dataloader(self) -> DataLoader:
        """Shuffled batches of one size."""
        dataset = TileDataset(
            self.store, "train", self.bands, self.crop, self.augment, self.seed, **self.options
        )
        trainer = self.trainer
        # Lightning starts the first epoch's workers before it tells the sampler the epoch, so
        # a resumed run must begin with the right one.
        epoch = 0
        if trainer:
            epoch = trainer.fit_loop.epoch_progress.current.processed  # type: ignore[attr-defined]
        sampler = EpochSampler(
            dataset,
            self.batch_size,
            self.steps_per_epoch,
            self.seed,
            trainer.world_size if trainer else 1,
            trainer.global_rank if trainer else 0,
            epoch,
        )
        return self._loader(dataset, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader:
        """Every validation tile once, in stored order."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader:
        """Every test tile once, in stored order."""
        return self._whole("test")

    def _whole(self, split: str) -> DataLoader:
        return self._loader(
            TileDataset(self.store, split, self.bands, **self.options), shuffle=False
        )

    def _loader(self, dataset: TileDataset, **options: Any) -> DataLoader:
        return DataLoader(
            dataset,
            self.batch_size,
            num_workers=self.workers,
            collate_fn=collate(dataset.kind),
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self.seed),  # leaves the global one alone
            **options,
        )
