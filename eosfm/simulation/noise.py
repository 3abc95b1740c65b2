"""Seeds from keys, and the smooth and cellular randomness that shapes are made of."""

import hashlib
from dataclasses import dataclass

import numpy as np

Key = tuple[int | str, ...]
"""Names a random draw, for example ``(seed, "eurosat", 17)``; 1 and "1" differ."""


def generator(key: Key, *purpose: int | str) -> np.random.Generator:
    """A random generator that depends on the key and nothing else.

    The purpose is further parts of the key, so that one key serves several independent draws.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (*key, *purpose):
        text = part if isinstance(part, str) else int(part)
        digest.update(f"{type(text).__name__}:{text!r};".encode())
    return np.random.default_rng(int.from_bytes(digest.digest(), "little"))


def _taps(n: int, step: float, start: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """First node and the three weights of a quadratic B-spline for n samples ``step`` apart."""
    position = start + np.arange(n) * step
    node = np.floor(position).astype(np.intp)
    t = (position - node).astype(np.float32)
    return node, [0.5 * (1 - t) ** 2, 0.5 + t * (1 - t), 0.5 * t**2]


def _octave(rng: np.random.Generator, shape: tuple[int, int], step: float) -> np.ndarray:
    """Standardised noise: a random lattice of ``step`` cells per pixel under a B-spline."""
    start_row, start_col = rng.random(2)
    rows, row_weights = _taps(shape[0], step, start_row)
    cols, col_weights = _taps(shape[1], step, start_col)
    lattice = rng.standard_normal((rows[-1] + 3, cols[-1] + 3), dtype=np.float32)
    across = sum(lattice[rows + k] * w[:, None] for k, w in enumerate(row_weights))
    return sum(across[:, cols + k] * w for k, w in enumerate(col_weights)) * np.float32(1.8)


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    scale: float,
    octaves: int,
    roughness: float = 0.5,
) -> np.ndarray:
    """Fractal noise, (H, W) float32 with mean about 0 and standard deviation about 1.

    ``scale`` is the size of the largest bumps in pixels; it is halved from octave to octave, but
    not below a pixel. ``roughness`` is an octave's amplitude relative to the one before.
    """
    total = np.zeros(shape, dtype=np.float32)
    amplitude, power = 1.0, 0.0
    for octave in range(octaves):
        step = 2.0**octave / max(scale, 1e-6)
        if step > 1 and octave > 0:
            break
        total += np.float32(amplitude) * _octave(rng, shape, min(step, 1.0))
        power += amplitude**2
        amplitude *= roughness
    return total / np.float32(power**0.5)


@dataclass(frozen=True)
class Cells:
    """A plane cut into rectangles, brick fashion; all arrays are (H, W)."""

    id: np.ndarray  # int64 cell number, 0 to count - 1
    count: int
    u: np.ndarray  # metres from the cell's lower edge along the first axis
    v: np.ndarray  # likewise along the second
    width: np.ndarray  # the cell's extent along the first axis, metres
    depth: np.ndarray  # likewise along the second

    def edge(self) -> np.ndarray:
        """(H, W) metres to the cell's nearest edge."""
        return np.minimum(
            np.minimum(self.u, self.width - self.u), np.minimum(self.v, self.depth - self.v)
        )

    def total(self, values: np.ndarray) -> np.ndarray:
        """(count,) sum of (H, W) values over each cell."""
        return np.bincount(self.id.ravel(), values.ravel(), minlength=self.count)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """(count,) mean of (H, W) values over each cell, 0 for cells without a pixel."""
        pixels = np.bincount(self.id.ravel(), minlength=self.count)
        return self.total(values) / np.maximum(pixels, 1)


def rotate(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along axes turned by ``angle`` radians."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * c + y * s, y * c - x * s


def bricks(
    rng: np.random.Generator, u: np.ndarray, v: np.ndarray, size: tuple[float, float], jitter: float
) -> Cells:
    """Cut the plane of u and v, (H, W) metres, into rows of rectangles, each row shifted.

    ``size`` is the mean extent along u and v in metres, ``jitter`` its unevenness, 0 to below 1.
    """
    row_edges = _edges(rng, float(u.min()), float(u.max()), size[0], jitter)
    row = np.searchsorted(row_edges, u.ravel(), side="right").reshape(u.shape) - 1
    shift = (rng.random(len(row_edges)) * size[1]).astype(np.float32)[row]
    col_edges = _edges(rng, float(v.min()), float(v.max()) + size[1], size[1], jitter)
    along = v + shift
    col = np.searchsorted(col_edges, along.ravel(), side="right").reshape(u.shape) - 1
    return Cells(
        id=row * len(col_edges) + col,
        count=len(row_edges) * len(col_edges),
        u=u - row_edges[row],
        v=along - col_edges[col],
        width=np.diff(row_edges)[row],
        depth=np.diff(col_edges)[col],
    )


def _edges(
    rng: np.random.Generator, low: float, high: float, size: float, jitter: float
) -> np.ndarray:
    """Increasing edges, uneven, with one cell to spare on either side."""
    n = int((high - low) / (size * (1 - jitter))) + 4
    steps = size * (1 + jitter * rng.uniform(-1, 1, n))
    start = low - size * (1 + jitter) * (1 + rng.random())
    edges = (start + np.concatenate([[0], np.cumsum(steps)])).astype(np.float32)
    # Few cells, all of them narrow, may end short of the other side.
    more = max(0, int((high - edges[-1]) // size) + 1)
    return np.append(edges, edges[-1] + np.float32(size) * np.arange(1, more + 1, dtype=np.float32))


def crowns(
    rng: np.random.Generator,
    u: np.ndarray,
    v: np.ndarray,
    spacing: float | tuple[float, float],
    jitter: float,
    presence: float,
    radius: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Round tops on a loose lattice along u and v, (H, W) metres: trees in a stand or in rows.

    ``spacing`` is the lattice step in metres, one or per axis. A top strays from its lattice point
    by up to ``jitter`` steps; a share ``presence`` of the points carries one. ``radius`` is the
    smallest and largest crown radius, in (smaller) steps.

    Returns:
        (H, W) float32 profile, 1 at a top's middle and 0 outside all crowns, and (H, W) float32
        random number 0 to 1 of the crown on top.
    """
    step_u, step_v = spacing if isinstance(spacing, tuple) else (spacing, spacing)
    a, b = u / np.float32(step_u), v / np.float32(step_v)
    low_a, low_b = int(np.floor(a.min())) - 1, int(np.floor(b.min())) - 1
    a, b = a - low_a, b - low_b
    grid = (int(a.max()) + 3, int(b.max()) + 3)
    off_a, off_b = rng.uniform(0.5 - jitter, 0.5 + jitter, (2, *grid)).astype(np.float32)
    size = rng.uniform(*radius, grid) * (rng.random(grid) < presence)
    inverse = (1 / np.maximum(size, 1e-3) ** 2).astype(np.float32)
    label = rng.random(grid, dtype=np.float32)
    aspect = (step_u / min(step_u, step_v), step_v / min(step_u, step_v))
    corner_a, corner_b = np.floor(a - 0.5).astype(np.intp), np.floor(b - 0.5).astype(np.intp)
    best = np.zeros(u.shape, dtype=np.float32)
    owner = np.zeros(u.shape, dtype=np.float32)
    for i in (0, 1):
        for j in (0, 1):
            cell = (corner_a + i) * grid[1] + (corner_b + j)
            da = (a - (corner_a + i) - off_a.ravel()[cell]) * np.float32(aspect[0])
            db = (b - (corner_b + j) - off_b.ravel()[cell]) * np.float32(aspect[1])
            top = 1 - (da * da + db * db) * inverse.ravel()[cell]
            higher = top > best
            best = np.where(higher, top, best)
            owner = np.where(higher, label.ravel()[cell], owner)
    return np.sqrt(best), owner
