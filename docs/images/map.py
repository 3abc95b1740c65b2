"""Draws map.png, the picture of the README: a scene of Sentinel-2, its label, and the map of it.

cd data/raw/sen1floods11/v1.1/data/flood_events/HandLabeled
eosfm predict S1Hand/NAME_S1Hand.tif ... --task sen1floods11 -o map.tif
python docs/images/map.py S2Hand/NAME_S2Hand.tif LabelHand/NAME_LabelHand.tif map.tif
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

UNKNOWN = (0.5, 0.5, 0.5)
"""Pixels without a label."""


def draw(scene: str, label: str, labels: str, out: Path) -> None:
    """Draw the scene, and the label and the map in the map's own colours."""
    with rasterio.open(scene) as raster:
        image = np.clip(np.moveaxis(raster.read(RGB), 0, -1) / BRIGHT, 0, 1)
    with rasterio.open(labels) as raster:
        found, palette, names = raster.read(1), raster.colormap(1), raster.tags(1)
    with rasterio.open(label) as raster:
        truth = raster.read(1)
    count = sum(name.startswith("class_") for name in names)
    colours = np.array([palette[k][:3] for k in range(count)]) / 255
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), dpi=100, layout="constrained")
    known = (truth >= 0)[..., None]
    pictures = (image, np.where(known, colours[truth.clip(0)], UNKNOWN), colours[found])
    titles = ("Sentinel-2, red green blue", "label", "map")
    for axis, picture, title in zip(axes, pictures, titles, strict=True):
        axis.imshow(picture)
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours]
    axes[2].legend(
        handles, [names[f"class_{k}"] for k in range(count)], fontsize=8, loc="lower left"
    )
    figure.get_layout_engine().set(h_pad=0.08)
    figure.savefig(out, metadata={"Software": None})


if __name__ == "__main__":
    draw(*sys.argv[1:4], Path(__file__).with_name("map.png"))
