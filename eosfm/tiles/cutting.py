"""Cutting a dataset's scenes to the tiles of a store."""

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eosfm.catalog.spec import Dataset, Scene, Window
from eosfm.errors import EosfmError
from eosfm.tiles.writer import PIXEL_KINDS, Tile, TileWriter

WINDOW_BYTES = 32 * 2**20
"""Scenes up to this size are read at once, so that sequential formats are decoded once."""

WINDOW_ROWS = 1024
"""Larger scenes are read in full-width windows of a multiple of this many rows: the usual block
heights divide it, so each compressed block is decoded once, whatever the tile size."""


@dataclass(frozen=True)
class Summary:
    """What cutting a dataset gave.

    Attributes:
        dataset: Its name.
        tiles: Tiles written, by split.
        dropped: Tiles left out because none of their pixels was measured.
        seconds: Wall time.
    """

    dataset: str
    tiles: dict[str, int]
    dropped: int
    seconds: float

    def __str__(self) -> str:
        """One line for a person."""
        total = sum(self.tiles.values())
        parts = ", ".join(f"{name} {count}" for name, count in self.tiles.items())
        return (
            f"{self.dataset}: {total} tiles ({parts}), {self.dropped} without data dropped, "
            f"{self.seconds:.1f} s"
        )


def cut_dataset(
    dataset: Dataset, root: Path, out: Path, tile: int | None, progress: bool = True
) -> Summary:
    """Cut a dataset to a tile store in one pass over its files.

    Images with one label (classification, multilabel) are stored whole. Other scenes are cut on
    a systematic grid without overlap; the tiles at the lower and right edges are padded. Tiles
    without a measured pixel are dropped. The store appears at ``out`` complete or not at all.

    Args:
        dataset: What to cut; its scenes are read from several threads at once.
        root: Folder of the native files.
        out: The store's folder.
        tile: Tile size in pixels; None stores whole images, which must share one size.
        progress: Whether to show a progress bar.

    Raises:
        EosfmError: Scenes contradict the dataset's description or each other, there is no
            training tile, or a band has no statistics.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    if dataset.kind in ("classification", "multilabel"):
        tile = None
    with (
        TileWriter(out, dataset, tile) as writer,
        tqdm(desc=f"tile {dataset.name}", unit="tile", disable=not progress) as bar,
    ):
        for scene, images, targets in _read_ahead(dataset, root):
            for piece in _pieces(dataset, root, scene, tile, images, targets):
                writer.add(piece, (tile or scene.height, tile or scene.width))
                bar.update()
    return Summary(dataset.name, writer.tiles, writer.dropped, time.perf_counter() - start)
