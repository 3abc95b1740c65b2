"""Sliding windows over a scene of any size, and their answers blended into strips.

Windows overlap, and answers are weighted by their distance to the window's border, so that no seam
shows and pixels with the least context count least, the outermost next to nothing. One row of
windows is in memory at a time: a strip is yielded as soon as no later window reaches it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.parallel import run_ahead
from eosfm.core.progress import progress
from eosfm.nn.pyramid import STRIDES

GRID = STRIDES[-1]
"""Windows start at multiples of the coarsest stride, so that cells of all windows coincide."""

MARGIN = 0.25
"""Share of the overlap, at a window's border, where answers count only if no other window's do."""
FAINT = 1e-6
"""Weight of cells in the margin; cells further inside have their distance to it, in cells."""

WINDOWS = "{desc}: {n_fmt} of {total_fmt} windows, {remaining} left"
"""A line of progress in a log."""


@dataclass(frozen=True)
class Sweep:
    """Windows that cover a scene, row by row.

    Attributes:
        scene: Height and width of the scene, pixels.
        window: Height and width of each window; the last ones may reach beyond the scene.
        overlap: Least overlap in pixels.
        rows: First row of each row of windows.
        cols: First column of each column.
    """

    scene: tuple[int, int]
    window: tuple[int, int]
    overlap: int
    rows: tuple[int, ...]
    cols: tuple[int, ...]

    @classmethod
    def blended(cls, scene: tuple[int, int], window: int, overlap: int) -> "Sweep":
        """Windows that overlap by at least ``overlap``; one spans any side shorter than a window.

        Raises:
            EosfmError: Window or overlap is no multiple of :data:`GRID`, or the overlap is not
                smaller than the window.
        """
        if window % GRID or overlap % GRID or not 0 <= overlap < window:
            raise EosfmError(
                f"windows of {window} px that overlap by {overlap}; expected multiples of {GRID}, "
                "the overlap smaller than the window"
            )
        (height, rows), (width, cols) = (_starts(side, window, overlap) for side in scene)
        return cls(scene, (height, width), overlap, rows, cols)

    @classmethod
    def side_by_side(cls, scene: tuple[int, int], window: tuple[int, int]) -> "Sweep":
        """Windows edge to edge; the last ones are moved back to end at the scene's border."""
        rows, cols = (
            tuple(min(start, max(0, length - size)) for start in range(0, length, size))
            for length, size in zip(scene, window, strict=True)
        )
        return cls(scene, window, 0, rows, cols)

    def __len__(self) -> int:
        return len(self.rows) * len(self.cols)

    def batches(self, size: int, first: int = 0) -> list[tuple[int, tuple[int, ...]]]:
        """Batches of up to ``size`` windows of one row, from row ``first`` of the windows on.

        Returns:
            Of each batch, the row's number and the windows' first columns.
        """
        return [
            (number, self.cols[start : start + size])
            for number in range(first, len(self.rows))
            for start in range(0, len(self.cols), size)
        ]


@dataclass(frozen=True)
class Part:
    """One window of a scene.

    Attributes:
        image: (T, C, h, w), as the encoders take it.
        unknown: (h, w) True for pixels that get no answer.
        days: (T,) day of each date, NaN if it has no measured pixel in the window.
    """

    image: Tensor
    unknown: np.ndarray
    days: Tensor


@dataclass(frozen=True)
class Strip:
    """Finished rows of the blended answers.

    Attributes:
        row: First row, in cells of the answers.
        values: (K, n, W) blended answers.
        unknown: (n, W) True for cells without an answer.
    """

    row: int
    values: Tensor
    unknown: np.ndarray


@dataclass(frozen=True)
class Answered:
    """A window and its answer.

    Attributes:
        number: Number of its row of windows.
        col: Its first column.
        unknown: (h, w) True for pixels that get no answer.
        answer: None if all pixels are unknown.
    """

    number: int
    col: int
    unknown: np.ndarray
    answer: Any


@dataclass(frozen=True)
class Batching:
    """How much is computed at once.

    Attributes:
        batch: Windows per batch.
        workers: Batches at a time, each with its share of the cores.
    """

    batch: int
    workers: int


Read = Callable[[int, int, tuple[int, int]], Part]
"""Reads a window, given its first row, its first column and its size."""
Answer = Callable[[Tensor, Tensor], Iterable[Any]]
"""From images (B, T, C, h, w) and days (B, T) to an answer for each."""


def strips(
    sweep: Sweep, read: Read, answer: Callable[[Tensor, Tensor], Tensor], channels: int,
    load: Batching, stride: int, name: str, first: int = 0,
) -> Iterator[Strip]:  # fmt: skip
    """Yield blended strips of the windows' answers; wholly unknown windows are not computed.

    Args:
        sweep: The windows.
        read: Reads a window.
        answer: Answers a batch: from images (B, T, C, h, w) and days (B, T) to
            (B, K, h / stride, w / stride).
        channels: Channels of the answers, K.
        load: How much is computed at once.
        stride: Pixels per cell of the answers, a divisor of 32.
        name: Label of the progress bar.
        first: Row of windows whose strip is yielded first.
    """
    if first == len(sweep.rows):
        return
    blend = _Blend(sweep, channels, stride)
    # Earlier rows that reach into it are computed again: sums in the same order give the same bits.
    start = first
    while start and sweep.rows[start - 1] + sweep.window[0] > sweep.rows[first]:
        start -= 1

    def logits(images: Tensor, days: Tensor) -> Tensor:
        return answer(images, days).float().cpu()

    for one in answered(sweep, read, logits, load, name, start):
        blend.add(one.col // stride, one.unknown, one.answer)
        if one.col == sweep.cols[-1]:
            strip = blend.finish_row(one.number)
            if one.number >= first:
                yield strip


def answered(
    sweep: Sweep, read: Read, answer: Answer, load: Batching, name: str, first: int = 0
) -> Iterator[Answered]:
    """Yield windows with their answers, in order, from row ``first`` of the windows on.

    Several batches run at a time: on a CPU, several with one thread each are faster than one with
    several threads, which wait for each other after every layer.
    """
    reading = Lock()  # files are read by one thread at a time

    def job(number: int, cols: tuple[int, ...]) -> list[Answered]:
        with reading:
            parts = [read(sweep.rows[number], col, sweep.window) for col in cols]
        some = [(part.image, part.days) for part in parts if not part.unknown.all()]
        found = iter(answer(*map(torch.stack, zip(*some, strict=True))) if some else ())
        return [
            Answered(number, col, part.unknown, None if part.unknown.all() else next(found))
            for col, part in zip(cols, parts, strict=True)
        ]

    with progress(
        WINDOWS, total=len(sweep), initial=first * len(sweep.cols), desc=name, unit="window"
    ) as bar:
        for batch in run_ahead(
            (partial(job, *one) for one in sweep.batches(load.batch, first)), load.workers
        ):
            yield from batch
            bar.update(len(batch))


class _Blend:
    """Weighted sums of answers over one row of windows, as wide as the scene."""

    def __init__(self, sweep: Sweep, channels: int, stride: int) -> None:
        self.stride = stride
        self.height, self.width = (-(-side // stride) for side in sweep.scene)
        self.rows = [row // stride for row in sweep.rows]
        high, wide = (-(-side // stride) for side in sweep.window)
        margin = MARGIN * sweep.overlap / stride
        self.weight = _ramp(high, margin)[:, None] * _ramp(wide, margin)
        self.total = torch.zeros(channels, high, self.width)
        self.mass = torch.zeros(high, self.width)
        self.unknown = np.ones((high, self.width), bool)

    def add(self, col: int, unknown: np.ndarray, answer: Tensor | None) -> None:
        """Add a window's answer (K, h, w); None where nothing was measured."""
        cells = _cells(unknown, self.stride)
        wide = min(self.weight.shape[1], self.width - col)
        self.unknown[:, col : col + wide] = cells[:, :wide]
        if answer is not None:
            self.total[..., col : col + wide] += (answer * self.weight)[..., :wide]
            self.mass[:, col : col + wide] += self.weight[:, :wide]

    def finish_row(self, number: int) -> Strip:
        """Return the rows that no later window reaches, and shift the sums for the next row."""
        row = self.rows[number]
        end = self.rows[number + 1] if number + 1 < len(self.rows) else self.height
        done = end - row
        # Cells of no computed window have weight 0; avoid 0 / 0, as they are unknown anyway.
        values = self.total[:, :done] / self.mass[:done].clamp_min(torch.finfo(torch.float32).tiny)
        strip = Strip(row, values, self.unknown[:done].copy())
        self.total = torch.roll(self.total, -done, dims=1)
        self.mass = torch.roll(self.mass, -done, dims=0)
        self.total[:, -done:] = 0
        self.mass[-done:] = 0
        return strip


def _starts(length: int, window: int, overlap: int) -> tuple[int, tuple[int, ...]]:
    """Size of the windows along one side, and the start of each."""
    if length <= window:
        return length, (0,)
    last, step = -(-(length - window) // GRID), (window - overlap) // GRID
    count = -(-last // step)
    return window, tuple(GRID * (i * last // count) for i in range(count + 1))


def _ramp(length: int, margin: float) -> Tensor:
    """Weight along one side: distance of each cell's centre to the nearer end, less the margin."""
    centre = torch.arange(length) + 0.5
    return (torch.minimum(centre, length - centre) - margin).clamp_min(FAINT)


def _cells(unknown: np.ndarray, stride: int) -> np.ndarray:
    """Cells of which all pixels are unknown."""
    if stride == 1:
        return unknown
    height, width = unknown.shape
    padding = ((0, -height % stride), (0, -width % stride))
    padded = np.pad(unknown, padding, constant_values=True)
    blocks = padded.reshape(-(-height // stride), stride, -1, stride)
    return np.asarray(blocks.all(axis=(1, 3)))
