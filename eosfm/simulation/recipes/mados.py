"""A simulated MADOS (Marine Debris and Oil Spill) in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.bands import band
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.mados import BANDS, CLASSES, FOLDER, NAME, WAVELENGTHS
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.simulation import Key, Simulation, average, write_lines
from eosfm.simulation.images import write_tiff
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.ocean import KINDS, WATERS, draw_sea, observe_sea

NAMES = {
    "debris": "marine debris", "sargassum": "dense sargassum", "algae": "sparse floating algae",
    "organic": "natural organic material", "oil": "oil spill", "clear": "marine water",
    "sediment": "sediment-laden water", "turbid": "turbid water", "shallow": "shallow water",
    "waves": "waves and wakes", "platform": "oil platform", "mucilage": "sea snot",
}  # fmt: skip
"""Published class of a simulated kind that has another name."""

ANNOTATED = {"oil": 0.5, "waves": 0.5} | dict.fromkeys(WATERS, 0.12)
"""Share of a simulated kind that is annotated; small things are annotated whole."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of sea with sparse annotations, each in a scene of its own."""
    patches: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for number, (split, index, key) in enumerate(simulation.plan(NAME)):
        _write_patch(root / FOLDER / f"Scene_{number}", str(index % 7), key, simulation)
        patches[split].append(f"Scene_{number}_{index % 7}")
    for split, names in patches.items():
        write_lines(root / FOLDER / "splits" / f"{split}_X.txt", names)


def _write_patch(folder: Path, number: str, key: Key, simulation: Simulation) -> None:
    """One sea as a scene folder holds it: a file per band, classes, confidence and reports."""
    rng = generator(key, "mados")
    sea = draw_sea(key, (simulation.size, simulation.size), simulation.gsd)
    image = observe_sea(sea, key, BANDS).astype(np.float32) / 10_000
    satellite = int(rng.integers(2))
    for name, pixels in zip(BANDS, image, strict=True):
        # The published processing takes the light scattered by the air itself away.
        pixels -= np.float32(0.03 * ((band(name).wavelength or 0) / 443) ** -4)
        wavelength = WAVELENGTHS[name][min(satellite, len(WAVELENGTHS[name]) - 1)]
        path = folder / str(10 * STEP[name]) / f"{folder.name}_L2R_rhorc_{wavelength}_{number}.tif"
        write_tiff(path, _coarse(pixels, STEP[name])[None])
    classes = _annotate(rng, sea.kind)
    for layer, pixels in (("cl", classes), ("conf", classes > 0), ("rep", 3 * (classes > 0))):
        path = folder / "10" / f"{folder.name}_L2R_{layer}_{number}.tif"
        write_tiff(path, pixels.astype(np.uint8)[None])


def _coarse(pixels: np.ndarray, step: int) -> np.ndarray:
    short = [(0, -length % step) for length in pixels.shape]
    return average(np.pad(pixels, short, mode="edge"), step)


def _annotate(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    """(H, W) uint8 published classes: parts of the large kinds, all of the small, 0 elsewhere."""
    numbers = np.array([CLASSES.index(NAMES.get(name, name)) + 1 for name in KINDS], np.uint8)
    order = fractal(rng, kind.shape, 14, 2)
    cut = np.array([np.quantile(order, 1 - ANNOTATED.get(name, 1.0)) for name in KINDS])
    return np.where(order >= cut[kind], numbers[kind], 0).astype(np.uint8)
