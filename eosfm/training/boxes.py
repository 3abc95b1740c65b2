"""A picture of the objects that a specialist finds: its boxes over those of the labels."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from eosfm.tiles.store import TileStore

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4
MIN_SCORE = 0.4
"""Less certain finds are not drawn; those that are not found at all would crowd the picture."""

LABEL, FOUND = "#ffffff", "#ff2d2d"


def boxed_images(
    pictures: np.ndarray,
    targets: Sequence[Tensor],
    found: Sequence[Tensor],
    store: TileStore,
    caption: str,
) -> "Figure":
    """Images with the boxes of labels (white) and finds (red), named below each image.

    Args:
        pictures: (N, T, h, w, 3) of 0 to 1; the first date is drawn.
        targets: (n, 5) of x_min, y_min, x_max, y_max in pixels of the tile, and class.
        found: (n, 6), the same and a score.
        store: Where the tiles are.
        caption: Names of the bands.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows = -(-len(pictures) // COLUMNS)
    figure = Figure(figsize=(1.7 * COLUMNS, 2.15 * rows + 0.2), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    scale = pictures.shape[3] / store.shape[3], pictures.shape[2] / store.shape[2]
    for panel, picture, truth, guess in zip(panels.flat, pictures, targets, found, strict=False):
        panel.imshow(picture[0], interpolation="nearest")
        sure = guess[guess[:, 5] >= MIN_SCORE]
        for boxes, color, style in ((truth, LABEL, "-"), (sure, FOUND, "--")):
            for left, top, right, bottom in (boxes[:, :4] * np.tile(scale, 2)).tolist():
                corner, size = (left - 0.5, top - 0.5), (right - left, bottom - top)
                panel.add_patch(Rectangle(corner, *size, fill=False, ec=color, ls=style))
        names = (_names(truth, store), f"found: {_names(sure, store)}")
        title = "\n".join(textwrap.shorten(name, 32, placeholder=" …") for name in names)
        panel.set_title(title, fontsize=6.5, loc="left")
    figure.supxlabel(f"{caption}; white: labels; red: found", fontsize=8)
    return figure


def _names(boxes: Tensor, store: TileStore) -> str:
    """How many of each class: ``2 ship, 1 harbor``."""
    classes, counts = np.unique(boxes[:, 4].numpy().astype(int), return_counts=True)
    named = zip(counts, classes, strict=True)
    return ", ".join(f"{count} {store.classes[label]}" for count, label in named) or "nothing"
