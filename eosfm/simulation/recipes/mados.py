"""A simulated MADOS (Marine Debris and Oil Spill) in its native layout."""

from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.mados import BANDS, CLASSES, FOLDER, NAME, WAVELENGTHS
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.simulation import Key, Simulation, average, write_lines
from eosfm.simulation.images import write_tiff
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.ocean import FLOATING, KINDS, WATERS, draw_sea, observe_sea

NAMES = {
    "debris": "marine debris", "sargassum": "dense sargassum", "algae": "sparse floating algae",
    "organic": "natural organic material", "oil": "oil spill", "clear": "marine water",
    "sediment": "sediment-laden water", "turbid": "turbid water", "shallow": "shallow water",
    "waves": "waves and wakes", "platform": "oil platform", "mucilage": "sea snot",
}  # fmt: skip
"""Published class names of simulated kinds, where they differ."""

ANNOTATED = {"oil": 0.4, "waves": 0.3, "jellyfish": 0.5} | dict.fromkeys(WATERS, 0.012)
"""Share of a simulated kind that is annotated; small things are annotated whole.

The original annotates 1.5 million pixels, less than one in a hundred.
"""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write patches of sea with sparse annotations, each in a scene of its own."""
    patches: dict[Split, list[str]] = {split: [] for split in SPLITS}
    for number, (split, index, key) in enumerate(simulation.plan(NAME)):
        _write_patch(root / FOLDER / f"Scene_{number}", index, key, simulation)
        patches[split].append(f"Scene_{number}_{index % 7}")
    for split, names in patches.items():
        write_lines(root / FOLDER / "splits" / f"{split}_X.txt", names)


def afloat(index: int) -> tuple[str, str]:
    """What floats in a patch: two kinds, so that a few patches show them all."""
    return FLOATING[2 * index % len(FLOATING)], FLOATING[(2 * index + 1) % len(FLOATING)]


def _write_patch(folder: Path, index: int, key: Key, simulation: Simulation) -> None:
    """Write a scene folder with one patch: a file per band, classes, confidence and reports."""
    rng = generator(key, "mados")
    number = index % 7
    size = (simulation.size, simulation.size)
    sea = draw_sea(key, size, simulation.gsd, afloat(index))
    image = observe_sea(sea, key, BANDS).astype(np.float32) / 10_000
    satellite = int(rng.integers(2))
    for name, pixels in zip(BANDS, image, strict=True):
        wavelength = WAVELENGTHS[name][min(satellite, len(WAVELENGTHS[name]) - 1)]
        path = folder / str(10 * STEP[name]) / f"{folder.name}_L2R_rhorc_{wavelength}_{number}.tif"
        write_tiff(path, average(pixels, STEP[name])[None])
    classes = _annotate(rng, sea.kind)
    for layer, pixels in (("cl", classes), ("conf", classes > 0), ("rep", 3 * (classes > 0))):
        path = folder / "10" / f"{folder.name}_L2R_{layer}_{number}.tif"
        write_tiff(path, pixels.astype(np.uint8)[None])


def _annotate(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    """(H, W) uint8 published classes: parts of the large kinds, all of the small, 0 elsewhere."""
    numbers = np.array([CLASSES.index(NAMES.get(name, name)) + 1 for name in KINDS], np.uint8)
    order = fractal(rng, kind.shape, 14, 2)
    classes = np.zeros(kind.shape, np.uint8)
    for place in np.unique(kind):
        there = kind == place
        cut = np.quantile(order[there], 1 - ANNOTATED.get(KINDS[place], 1.0))
        classes[there & (order >= cut)] = numbers[place]
    return classes
