"""Checkpoints of an interrupted training: their path, and whether one can be resumed."""

import hashlib
from pathlib import Path

import torch

from eosfm.core import tensors
from eosfm.core.closure import ROOT, code_hash
from eosfm.core.errors import EosfmError
from eosfm.tiles.store import TileStore
from eosfm.training.recipe import Recipe

DIGITS = 16
"""Hex digits of the hash in the name of a run's checkpoint folder."""


def checkpoint_of(recipe: Recipe, store: TileStore, begin: Path | None, scratch: Path) -> Path:
    """Where a run keeps its checkpoint.

    Its folder is named after the code, settings, start weights and tiles that decide its result.

    Args:
        recipe: What is trained.
        store: Tiles of its dataset.
        begin: File of the start weights; None where it begins with random ones.
        scratch: Folder for checkpoints.
    """
    digest = hashlib.sha256(recipe.digest() + (store.path / "store.json").read_bytes())
    if begin:
        digest.update(begin.read_bytes())
    if str(recipe.trainer["devices"]) in ("auto", "-1"):  # a checkpoint fits one process count
        digest.update(str(torch.cuda.device_count()).encode())
    digest.update(torch.__version__.encode())
    digest.update(code_hash(ROOT / "stages" / "train.py").encode())
    return scratch / f"{recipe.name}-{digest.hexdigest()[:DIGITS]}" / "last.ckpt"


def others(checkpoint: Path) -> list[Path]:
    """Folders of this specialist's other interrupted runs; none if this run has a checkpoint."""
    if checkpoint.exists():
        return []
    name = checkpoint.parent.name.rpartition("-")[0]
    found = checkpoint.parent.parent.glob(f"{name}-{'[0-9a-f]' * DIGITS}/{checkpoint.name}")
    return sorted(path.parent for path in found)


def resumable(checkpoint: Path) -> Path | None:
    """The checkpoint if it is intact, else None; a damaged one is reported and removed."""
    if not checkpoint.exists():
        return None
    try:
        tensors.read(checkpoint)
    except EosfmError as error:
        print(f"checkpoint dropped, training starts again: {error}", flush=True)
        checkpoint.unlink(missing_ok=True)  # each of several processes comes here
        return None
    return checkpoint
