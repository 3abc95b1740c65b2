"""Painters of water: rivers, lakes, coasts."""

import numpy as np

from eosfm.simulation.canvas import Canvas
from eosfm.simulation.covers import cover_mask
from eosfm.simulation.noise import rotate


def river(canvas: Canvas) -> None:
    """A meandering band of uneven width with bars of sand and trees along the banks."""
    rng = canvas.rng
    width = float(np.clip(rng.lognormal(np.log(45), 0.6), 2.2 * canvas.gsd, 0.3 * canvas.extent))
    bend = rng.uniform(6, 14) * width
    u, v = rotate(canvas.x, canvas.y, rng.uniform(0, np.pi))
    # Warping both axes lets the band turn back on itself, as a function of u could not.
    u = u + 0.24 * bend * canvas.noise(1.1 * bend, 2, 0.4)
    phase = u * np.float32(2 * np.pi / bend) + rng.uniform(0, 6)
    swing = rng.uniform(0.6, 1.6) * width * np.sin(phase)
    middle = v - rng.uniform(-0.22, 0.22) * canvas.extent - 1.6 * swing
    middle = middle + 0.3 * bend * canvas.noise(1.3 * bend, 2, 0.4)
    slope = np.hypot(*np.gradient(middle, np.float32(canvas.gsd)))
    away = np.abs(middle) / np.maximum(slope, 0.4)
    half = width * (0.5 + 0.12 * canvas.noise(2 * width, 2))
    canvas.wet += 0.5 * np.exp(-away / (2 * width))
    bar = (away < 1.25 * half) & (canvas.noise(1.5 * width, 2) > 1.1)
    canvas.paint(bar, "sand", tone=0.85)
    bank = (away < half + max(10.0, 0.8 * canvas.gsd)) & (canvas.noise(60, 2) > 0.1)
    canvas.paint(bank, "broadleaf", canopy=11, tone=0.95 + 0.06 * canvas.noise(12, 1))
    _fill(canvas, away < half, "river", (np.abs(middle) - half) / (8 * width))


def lake(canvas: Canvas, share: float | None = None) -> None:
    """A compact body with a soft, irregular shore."""
    rng = canvas.rng
    share = rng.uniform(0.15, 0.55) if share is None else share
    radius = canvas.extent * (share / np.pi) ** 0.5
    cx, cy = rng.uniform(-0.28, 0.28, 2) * canvas.extent
    u, v = rotate(canvas.x - cx, canvas.y - cy, rng.uniform(0, np.pi))
    stretch = rng.uniform(0.65, 1.0)
    reach = np.hypot(u * stretch, v / stretch) / radius
    reach = reach + 0.16 * canvas.noise(1.2 * radius, 5, 0.55)
    canvas.wet += 0.5 * np.exp(-np.maximum(reach - 1, 0) * 6)
    _fill(canvas, reach < 1, "lake", reach - 1)


def pond(canvas: Canvas) -> None:
    """A lake of a few per cent of the scene."""
    lake(canvas, canvas.rng.uniform(0.01, 0.05))


def coast(canvas: Canvas) -> None:
    """Sea on one side, land on the other, a beach or rocks between."""
    rng = canvas.rng
    u, _ = rotate(canvas.x, canvas.y, rng.uniform(0, 2 * np.pi))
    shore = u - rng.uniform(-0.25, 0.25) * canvas.extent
    shore = shore + 0.12 * canvas.extent * canvas.noise(0.7 * canvas.extent, 6, 0.5)
    beach = rng.uniform(12, 60)
    edge = "sand" if rng.random() < 0.7 else "rock"
    canvas.paint((shore > 0) & (shore < beach), edge, tone=0.9 + 0.08 * canvas.noise(20, 2))
    _fill(canvas, shore <= 0, "ocean", shore / 400)


def sea(canvas: Canvas) -> None:
    """Open sea everywhere."""
    _fill(canvas, np.ones(canvas.size, dtype=bool), "ocean", np.zeros(canvas.size))


def fjord(canvas: Canvas) -> None:
    """Sea in front of an ice cliff: the calving front crosses the scene."""
    u, v = rotate(canvas.x, canvas.y, canvas.angle)
    front = v - canvas.rng.uniform(-0.2, 0.25) * canvas.extent
    front = front + 0.06 * canvas.extent * canvas.noise(0.35 * canvas.extent, 5, 0.6)
    front = front + 0.15 * canvas.extent * np.cos(u * np.float32(3.0 / canvas.extent))
    ocean = (front > 0) & ~cover_mask(canvas.cover, "rock")
    _fill(canvas, ocean, "ocean", -front / 100)
    bergs = ocean & (canvas.noise(max(25.0, 2 * canvas.gsd), 2) > 1.5 + front / canvas.extent)
    canvas.paint(bergs, "ice", tone=0.9)


def _fill(canvas: Canvas, mask: np.ndarray, name: str, shore: np.ndarray) -> None:
    """Level water of drifting turbidity; the land rises gently from its shore.

    ``shore`` is the distance from the shore; at 1 the land is as high as it was.
    """
    canvas.paint(mask, name, tone=1 + 0.08 * canvas.noise(0.5 * canvas.extent, 3))
    if mask.any():
        level = np.quantile(canvas.elevation[mask], 0.1)
        height = np.maximum(canvas.elevation - level, 0) + 3
        canvas.elevation[:] = level + np.where(mask, 0, height * np.clip(shore, 0, 1))
