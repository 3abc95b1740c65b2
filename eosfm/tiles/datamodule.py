"""Loaders of one tile store for Lightning, whose batches follow from (seed, epoch) alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, DistributedSampler

from eosfm.core.cores import loaders
from eosfm.recipes import Moves
from eosfm.tiles.dataset import Look, TileDataset, collate
from eosfm.tiles.store import TileStore


class EpochSampler(DistributedSampler[Look]):
    """Permutations of the tiles drawn from (seed, epoch), as many as an epoch's batches need.

    Each pass has its own crops and turns.

    Lightning wraps other samplers than a ``DistributedSampler``, and never tells them the epoch.

    Args:
        dataset: What is sampled; it is told the epoch as well.
        batch_size: Tiles per batch and process.
        steps: Batches per epoch and process; None is one pass, at least one batch.
        seed: Root of the permutations.
        replicas: Number of processes.
        rank: Which of them this is.
        epoch: The epoch to begin with.
        skip: Batches at its start that are left out, since a resumed run has seen them.
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
        skip: int = 0,
    ) -> None:
        super().__init__(dataset, replicas, rank, seed=seed)
        self.skipped = {epoch: skip * batch_size * replicas}
        steps = steps or max(1, len(dataset) // (batch_size * replicas))
        self.num_samples = steps * batch_size
        self.total_size = self.num_samples * replicas
        self.set_epoch(epoch)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the permutations and of the dataset's crops and turns."""
        super().set_epoch(epoch)
        self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[Look]:
        rng = np.random.default_rng((self.seed, self.epoch))
        passes = -(-self.total_size // len(self.dataset))
        orders = [rng.permutation(len(self.dataset)).tolist() for _ in range(passes)]
        looks = [(tile, number) for number, order in enumerate(orders) for tile in order]
        first = self.skipped.get(self.epoch, 0) + self.rank
        return iter(looks[first : self.total_size : self.num_replicas])


def whole_batches(tiles: int, batch_size: int, replicas: int = 1, rank: int = 0) -> list[list[int]]:
    """One process's share of a split's batches: every tile once, in stored order.

    All processes have equally many batches, since one with an extra batch would wait for the
    others. So if fewer tiles than processes remain, they join the batch before.

    Args:
        tiles: Number of tiles; at least as many as processes.
        batch_size: Tiles per batch, of all processes together.
        replicas: Number of processes.
        rank: Which of them this is.
    """
    starts = list(range(0, tiles, batch_size))
    if tiles - starts[-1] < replicas:
        starts.pop()
    ends = [*starts[1:], tiles]
    return [
        list(range(start + rank, end, replicas)) for start, end in zip(starts, ends, strict=True)
    ]


class TileDataModule(lightning.LightningDataModule):
    """Loaders of the three splits; only training is cropped, augmented and shuffled.

    A run that resumes sees the batches an uninterrupted one would. Several processes share each
    batch, in training and in validation.

    Args:
        store: Where the tiles are.
        bands: Names in the order wanted.
        batch_size: Tiles per batch, of all processes together; a multiple of their number.
        crop: Size of the random training windows; None for whole tiles.
        moves: How training tiles are turned and mirrored, as in :class:`TileDataset`.
        seed: Root of sampling, crops and moves.
        steps_per_epoch: Training batches per epoch; None is one pass.
        workers: Loader processes per split, one for each core at most.
        standardize: As in :class:`TileDataset`.
        scaling: Likewise.
        single_date: As in :class:`TileDataset`; torchgeo's trainers want it.
    """

    def __init__(
        self,
        store: TileStore,
        bands: Sequence[str],
        batch_size: int,
        crop: int | None = None,
        moves: Moves = "turns",
        seed: int = 0,
        steps_per_epoch: int | None = None,
        workers: int = 0,
        standardize: bool = True,
        scaling: tuple[Sequence[float], Sequence[float]] | None = None,
        single_date: bool = False,
    ) -> None:
        super().__init__()
        self.store = store
        self.bands = tuple(bands)
        self.options: dict[str, Any] = {
            "standardize": standardize, "scaling": scaling, "single_date": single_date,
        }  # fmt: skip
        self.batch_size = batch_size
        self.crop = crop
        self.moves = moves
        self.seed = seed
        self.steps_per_epoch = steps_per_epoch
        self.workers = workers

    def train_dataloader(self) -> DataLoader:
        """Shuffled batches of one size."""
        dataset = TileDataset(
            self.store, "train", self.bands, self.crop, self.moves, self.seed, **self.options
        )
        replicas, rank = self._processes()
        size = self.batch_size // replicas
        epoch, skip = self._progress()
        sampler = EpochSampler(
            dataset, size, self.steps_per_epoch, self.seed, replicas, rank, epoch, skip
        )
        return self._loader(dataset, batch_size=size, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader:
        """Every validation tile once, in stored order."""
        return self._whole("val")

    def test_dataloader(self) -> DataLoader:
        """Every test tile once, in stored order."""
        return self._whole("test")

    def _whole(self, split: str) -> DataLoader:
        dataset = TileDataset(self.store, split, self.bands, **self.options)
        batches = whole_batches(len(dataset), self.batch_size, *self._processes())
        return self._loader(dataset, batch_sampler=batches)

    def _processes(self) -> tuple[int, int]:
        """The number of processes, and which of them this is."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    def _progress(self) -> tuple[int, int]:
        """The epoch that training is in, and how many of its batches are done.

        Lightning starts the first epoch's workers before it tells the sampler the epoch, and does
        not tell it the batch at which it resumes, so the sampler is built with both.
        """
        if not self.trainer:
            return 0, 0
        loop: Any = self.trainer.fit_loop
        epochs = loop.epoch_progress.current
        within = epochs.started > epochs.processed
        done = loop.epoch_loop.batch_progress.current.processed if within else 0
        return epochs.processed, done

    def _loader(self, dataset: TileDataset, **options: Any) -> DataLoader:
        return DataLoader(
            dataset,
            num_workers=loaders(self.workers),
            collate_fn=collate(dataset.kind),
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self.seed),  # leaves the global one alone
            **options,
        )
