"""Training in several processes, started by Lightning (run this module) or by a test."""

import os
import pickle
import sys
import time
from pathlib import Path
from unittest.mock import patch

import torch

from eosfm.tiles.store import TileStore
from eosfm.training import callbacks
from eosfm.training.recipe import Recipe
from eosfm.training.train import Outputs, train_specialist


def train(recipe: Recipe, store: Path, folder: Path) -> None:
    """Train to ``folder``, with a checkpoint wherever one may be."""
    more = Outputs(folder / "head.pt", folder / "predictions.png", folder / "live")
    with patch.object(callbacks, "SAVE_SECONDS", 0.0), patch.object(callbacks, "LOOK", 1):
        train_specialist(recipe, TileStore(store), folder / "toy.pt", folder / "scratch", more)


def train_as(
    rank: int, port: int, freezes: bool, recipe: Recipe, store: Path, folder: Path
) -> None:
    """Train as one of two processes; one that freezes does so within the second epoch."""
    os.environ |= {
        "LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    keep = callbacks.Record.on_train_batch_end

    def freeze(self: callbacks.Record, *args: object) -> None:
        keep(self, *args)
        if (len(self.epochs), len(self._losses)) == (1, 2):
            (folder / f"frozen{rank}").touch()
            time.sleep(600)

    if freezes:
        callbacks.Record.on_train_batch_end = freeze  # type: ignore[method-assign]
    train(recipe, store, folder)


def train_in_a_job(recipe: Recipe, store: Path, folder: Path) -> None:
    """Train within a batch job that was given eight tasks, of which this is one process."""
    os.environ.pop("OMP_NUM_THREADS", None)
    os.environ |= {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "job", "SLURM_PROCID": "0"}
    train(recipe, store, folder)
    assert torch.get_num_threads() == recipe.trainer["threads"]


if __name__ == "__main__":
    train(*pickle.loads(Path(sys.argv[1]).read_bytes()))
