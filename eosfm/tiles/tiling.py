"""Cutting a dataset's scenes to the tiles of a store."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from eosfm.core.cores import usable_cores
from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.spec import Dataset, Scene, Window
from eosfm.kinds import get_kind
from eosfm.tiles.layout import Tile
from eosfm.tiles.manifest import Origin
from eosfm.tiles.writer import writing

WINDOW_BYTES = 32 * 2**20
"""Scenes up to this size are read at once, so that sequential formats are decoded once."""

WINDOW_ROWS = 1024
"""Larger scenes are read in full-width windows of a multiple of this many rows: the usual block
heights divide it, so each compressed block is decoded once, whatever the tile size."""

WORKERS = 8
"""Cores that read, at most: checking, counting and writing keep up with no more, and each has a
window or two in memory."""

GROUND = 100
"""Side of a tile in metres below which it may not show a whole building."""


def cut_dataset(
    dataset: Dataset,
    root: Path,
    out: Path,
    tile: int | None,
    splits: Sequence[Split] | None = None,
    *,
    source: Origin,
) -> str:
    """Cut a dataset to a tile store in one pass over its files.

    Images with one answer (such as a class) are stored whole. Other scenes are cut on
    a systematic grid without overlap; the tiles at the lower and right edges are padded. Tiles
    without a measured pixel are dropped. The store appears at ``out`` complete or not at all.

    Args:
        dataset: What to cut; its scenes are read from several threads at once.
        root: Folder of the native files.
        out: The store's folder.
        tile: Tile size in pixels; None stores whole images, which must share one size.
        splits: Splits to cut, each of which must give a tile; pixels of others are not read.
            None: all that there are.
        source: Where the files come from.

    Returns:
        A line for people: how many tiles were written, and how many dropped.

    Raises:
        EosfmError: The dataset's kind is unknown, tiles would cut pixels of coarser bands, scenes
            contradict its description or each other, or a split has no tile.
    """
    from tqdm import tqdm

    tile = stored_tile(dataset, tile)
    scenes = _scenes(dataset, root, splits or SPLITS)
    first = list(islice(scenes, 1))
    there = dataset.only(first[0].bands) if first and first[0].bands else dataset
    absent = [name for name in dataset.bands if name not in there.bands]
    with (
        writing(out, there, tile, source, absent) as writer,
        tqdm(desc=f"tile {dataset.name}", unit="tile", disable=None) as bar,
    ):
        windows = _windows(there, chain(first, scenes), tile)
        for strip in _strips(_read_ahead(windows, there, min(WORKERS, usable_cores())), tile):
            size = (tile or strip.scene.height, tile or strip.scene.width)
            for piece in _tiles(strip, dataset, root, size[1]):
                writer.add(piece, size)
                bar.update()
        for split in splits or ():
            if split not in writer.tiles:
                raise EosfmError(
                    f"{dataset.name}: no tile of split {split} ({writer.dropped} without data "
                    f"dropped); expected some; have it hold out more for {split}, or leave {split} "
                    f"out of datasets.{dataset.name}.splits"
                )
    parts = ", ".join(f"{name} {count}" for name, count in writer.tiles.items())
    return f"{sum(writer.tiles.values())} tiles ({parts}), {writer.dropped} without data dropped"


def stored_tile(dataset: Dataset, tile: int | None) -> int | None:
    """Tile size in which a dataset is stored; None for whole images, as those with one answer are.

    Raises:
        EosfmError: The dataset's kind is unknown, or tiles would cut pixels of coarser bands.
    """
    if tile is None or get_kind(dataset.kind).answer == "image":
        return None
    for group in dataset.groups:
        if tile % group.step:
            raise EosfmError(
                f"{dataset.name}: tiles of {tile} px would cut pixels of {', '.join(group.bands)}, "
                f"which are {group.step} px wide; expected a multiple of {group.step}; set "
                f"datasets.{dataset.name}.tile to one"
            )
    return tile


@dataclass(frozen=True)
class _Strip:
    """Full-width rows of a scene; ``target`` only where it is a value per pixel."""

    scene: Scene
    row: int
    image: np.ndarray
    target: np.ndarray | None

    def rows(self, start: int, stop: int | None = None) -> "_Strip":
        target = None if self.target is None else self.target[start:stop]
        return _Strip(self.scene, self.row + start, self.image[:, :, start:stop], target)

    def above(self, other: "_Strip") -> "_Strip":
        image = np.concatenate([self.image, other.image], axis=2)
        targets = [part for part in (self.target, other.target) if part is not None]
        target = np.concatenate(targets) if targets else None
        return _Strip(self.scene, self.row, image, target)


def too_little_ground(dataset: Dataset, tile: int | None) -> str | None:
    """A line of warning where tiles of a real dataset show too little to tell classes apart."""
    ground = tile * dataset.gsd if tile else GROUND
    if ground >= GROUND:
        return None
    return (
        f"tile {dataset.name}: tiles of {tile} px show {ground:.0f} m of ground, less than "
        f"{GROUND} m; set datasets.{dataset.name}.tile, and its upper limit scales.<scale>.tile, "
        "to more"
    )


def _scenes(dataset: Dataset, root: Path, splits: Sequence[Split]) -> Iterator[Scene]:
    """The scenes of some splits, of one set of bands; no two of a dataset have the same id."""
    seen: set[str] = set()
    bands: tuple[str, ...] = ()
    for scene in dataset.scenes(root):
        if scene.id in seen:
            raise EosfmError(
                f"{dataset.name}: two scenes have the id {scene.id!r}; expected unique ids; "
                "check the dataset's files for duplicates"
            )
        seen.add(scene.id)
        if scene.split not in splits:
            continue
        found = scene.bands or dataset.bands
        bands = bands or found
        if found != bands:
            raise EosfmError(
                f"{dataset.name}: scene {scene.id} has the bands {', '.join(found)}; expected "
                f"{', '.join(bands)}, as those before it; complete the copy"
            )
        yield scene


def window_rows(height: int, row_bytes: int, whole: bool) -> int:
    """Rows of a scene that are read at once; all of them where the scene is stored ``whole``."""
    if whole or height * row_bytes <= WINDOW_BYTES:
        return height
    return max(1, WINDOW_BYTES // (WINDOW_ROWS * row_bytes)) * WINDOW_ROWS


def _windows(
    dataset: Dataset, scenes: Iterable[Scene], tile: int | None
) -> Iterator[tuple[Scene, Window]]:
    """What to read at once, scene by scene from top to bottom."""
    for scene in scenes:
        dates = max(1, len(scene.dates))
        row_bytes = scene.width * dates * len(dataset.bands) * np.dtype(dataset.dtype).itemsize
        rows = window_rows(scene.height, row_bytes, whole=tile is None)
        for row in range(0, scene.height, rows):
            yield scene, Window(row, 0, min(rows, scene.height - row), scene.width)


def _read_ahead(
    windows: Iterator[tuple[Scene, Window]], dataset: Dataset, workers: int
) -> Iterator[_Strip]:
    """Read windows of several scenes at a time, in order, a few ahead: decoding frees the GIL."""
    per_pixel = get_kind(dataset.kind).answer == "pixel"

    def read(scene: Scene, window: Window) -> _Strip:
        target = scene.target(window) if per_pixel else None
        image = np.asarray(scene.image(window))
        if image.shape[2:] != (window.height, window.width):
            raise EosfmError(
                f"{dataset.name}: scene {scene.id} gives an image of shape {image.shape} for "
                f"{window}; expected (T, {len(dataset.bands)}, {window.height}, {window.width}); "
                "let the reader cut images to the window, and state their size"
            )
        return _Strip(scene, window.row, image, target)

    pool = ThreadPoolExecutor(workers)
    pending: deque[Future[_Strip]] = deque()
    try:
        for scene, window in windows:
            pending.append(pool.submit(read, scene, window))
            if len(pending) > workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _strips(parts: Iterator[_Strip], tile: int | None) -> Iterator[_Strip]:
    """Regroup what was read into rows of tiles; the last one of a scene may be lower."""
    rest: _Strip | None = None
    for part in parts:
        strip = rest.above(part) if rest else part
        rest = None
        height = tile or part.scene.height
        end = strip.row + strip.image.shape[2]
        for row in range(strip.row, end, height):
            start = row - strip.row
            if row + height > end and end < part.scene.height:
                rest = strip.rows(start)
            else:
                yield strip.rows(start, start + height)


def _tiles(strip: _Strip, dataset: Dataset, root: Path, width: int) -> Iterator[Tile]:
    """Cut a row of tiles, each of its true extent."""
    scene = strip.scene
    source = scene.product or scene.files[0].relative_to(root).as_posix()
    for col in range(0, scene.width, width):
        image = strip.image[..., col : col + width]
        if strip.target is None:
            target = scene.target(Window(strip.row, col, *image.shape[2:]))
        else:
            target = strip.target[:, col : col + width]
        yield Tile(
            scene.split, scene.id, source, strip.row, col, image, np.asarray(target),
            scene.crs, scene.transform, scene.dates,
        )  # fmt: skip
