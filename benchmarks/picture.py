"""The README's picture: a simulated flood, its label and its map, and how well the map fits.

    python benchmarks/picture.py [--write]

Run in a project that has the data and models of ``mini``. The scene is the first one that tests.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import matplotlib.pyplot as plt
import numpy as np
import rasterio
import typer
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

import eosfm.cli
from eosfm.datasets import get_dataset
from eosfm.datasets.native.copy import NativeCopy, native_files
from eosfm.datasets.native.spec import Scene, Window
from eosfm.params import load_params
from eosfm.prediction.cut import Cut
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions

TASK = "sen1floods11"
OUT = Path(__file__).parents[1] / "docs/images/map.png"
WATER = 1
CLASSES, COLOURS = ("no water", "water"), ("#eeeee9", "#1f77b4")
BRIGHT = 2500
"""Reflectance times 10,000 that is white."""
BACKSCATTER = (-22.0, -2.0)
"""Decibels that are black and white."""


def main(
    write: Annotated[bool, typer.Option("--write", help=f"Write {OUT.name}.")] = False,
) -> None:
    """Map the scene, print the map's IoU of water, and draw."""
    params = load_params()
    key = params.task(TASK).dataset
    entry = params.dataset(key)
    copy = NativeCopy(key, entry.reader, params.source(key), entry.root, params.archives)
    with native_files(copy, Path("data/raw") / key) as root, TemporaryDirectory() as folder:
        dataset = replace(get_dataset(entry.reader).below(root), name=key)
        scene = next(one for one in dataset.scenes(root) if one.split == "test")
        window = Window(0, 0, scene.height, scene.width)
        label, image = scene.target(window), scene.image(window)[0].astype(np.float32)
        found = _mapped(scene, dataset.bands, Path(folder))
    known = label != dataset.ignore_index
    told, mapped = (classes[known] == WATER for classes in (label, found))
    print(f"{scene.id}: IoU of water {(told & mapped).sum() / (told | mapped).sum():.2f}")
    if write:
        _draw(dict(zip(dataset.bands, image, strict=True)), label, found)


def _mapped(scene: Scene, bands: tuple[str, ...], folder: Path) -> np.ndarray:
    """The map of a scene's files but the last, which is its label."""
    inputs = folder / "scene"
    inputs.mkdir()
    for number, file in enumerate(scene.files[:-1]):  # folders are read in order of their names
        (inputs / f"{number}_{file.name}").symlink_to(file.resolve())
    out = folder / "map.tif"
    fitted, artifact = Path(f"models/tasks/{TASK}.pt"), Path("models/eosfm.pth")
    predict(fitted, artifact, [str(inputs)], out, ReadOptions(bands=bands), Cut())
    with rasterio.open(out) as raster:
        found: np.ndarray = raster.read(1)
    return found


def _draw(bands: dict[str, np.ndarray], label: np.ndarray, found: np.ndarray) -> None:
    radar = sum(name in ("vv", "vh") for name in bands)
    colours = np.dstack([bands[name] for name in ("B04", "B03", "B02")])
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.85), layout="constrained")
    axes[0].imshow(bands["vv"], "gray", vmin=BACKSCATTER[0], vmax=BACKSCATTER[1])
    axes[0].set_title(f"Sentinel-1, VV of {radar} bands", fontsize=10)
    axes[1].imshow((colours / BRIGHT).clip(0, 1))
    axes[1].set_title(f"Sentinel-2, RGB of {len(bands) - radar} bands", fontsize=10)
    shades = ListedColormap(COLOURS)
    for axis, classes, title in ((axes[2], label, "label"), (axes[3], found, "map")):
        axis.imshow(classes, cmap=shades, vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=10)
    names = [Patch(color=one, label=name) for one, name in zip(COLOURS, CLASSES, strict=True)]
    axes[3].legend(handles=names, loc="lower left", fontsize=8)
    for axis in axes:
        axis.set_axis_off()
    figure.savefig(OUT, dpi=100)


if __name__ == "__main__":
    eosfm.cli.run(main)
