"""Draws map.png, the picture of the README: a scene of Sentinel-2 beside a map of it.

eosfm predict FOLDER --task sen1floods11 -o water.tif --bands vv vh B01 B02 ...
python docs/images/map.py SCENE.tif water.tif
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


def draw(scene: str, labels: str, out: Path) -> None:
    """Draw the scene, and its map in the map's own colours."""
    with rasterio.open(scene) as raster:
        image = np.clip(np.moveaxis(raster.read(RGB), 0, -1) / BRIGHT, 0, 1)
    with rasterio.open(labels) as raster:
        classes = raster.read(1)
        colours = np.array([raster.colormap(1).get(k, (0, 0, 0, 0)) for k in range(256)]) / 255
        names = raster.tags(1)
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), dpi=90, layout="constrained")
    axes[0].imshow(image)
    axes[1].imshow(colours[classes][..., :3])
    for axis, title in zip(axes, ("Sentinel-2, red green blue", "map"), strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=colours[k][:3]) for k in range(len(np.unique(classes)))
    ]
    axes[1].legend(handles, [names[f"class_{k}"] for k in range(len(handles))], fontsize=8)
    figure.savefig(out, metadata={"Software": None})


if __name__ == "__main__":
    draw(sys.argv[1], sys.argv[2], Path(__file__).with_suffix(".png"))
