"""Draws map.png, the picture of the README: a scene of Sentinel-1 and 2, its label, and the map.

docs/maps.md makes the scene's folder and the map; the label lies in the same archive.

python docs/images/map.py chip/NAME_S1Hand.tif chip/NAME_S2Hand.tif NAME_LabelHand.tif water.tif
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import rasterio

RGB, BRIGHT = (4, 3, 2), 3_000
"""Bands of a file of all thirteen, and the reflectance times 10,000 that is drawn white."""

DECIBELS = (-22.0, 0.0)
"""Backscatter in VV that is drawn black, and white."""

UNKNOWN = (0.5, 0.5, 0.5)
"""Pixels without a label."""


def draw(radar: str, scene: str, label: str, labels: str, out: Path) -> None:
    """Draw the scene, and the label and the map in the map's own colours."""
    with rasterio.open(radar) as raster:
        dark, bright = DECIBELS
        backscatter = np.clip((raster.read(1) - dark) / (bright - dark), 0, 1)
    with rasterio.open(scene) as raster:
        image = np.clip(np.moveaxis(raster.read(RGB), 0, -1) / BRIGHT, 0, 1)
    with rasterio.open(labels) as raster:
        found, palette, names = raster.read(1), raster.colormap(1), raster.tags(1)
    with rasterio.open(label) as raster:
        truth = raster.read(1)
    count = sum(name.startswith("class_") for name in names)
    colours = np.array([palette[k][:3] for k in range(count)]) / 255
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), dpi=100, layout="constrained")
    known = (truth >= 0)[..., None]
    shown = np.repeat(backscatter[..., None], 3, axis=2)
    pictures = (shown, image, np.where(known, colours[truth.clip(0)], UNKNOWN), colours[found])
    titles = ("Sentinel-1, VV of 2 bands", "Sentinel-2, RGB of 13 bands", "label", "map")
    for axis, picture, title in zip(axes, pictures, titles, strict=True):
        axis.imshow(picture)
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours]
    axes[-1].legend(
        handles, [names[f"class_{k}"] for k in range(count)], fontsize=8, loc="lower left"
    )
    figure.get_layout_engine().set(h_pad=0.08)
    figure.savefig(out, metadata={"Software": None})


if __name__ == "__main__":
    draw(*sys.argv[1:5], Path(__file__).with_name("map.png"))
