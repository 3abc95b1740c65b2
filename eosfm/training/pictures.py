"""A picture of what a specialist predicts: some validation tiles, their labels, its answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from eosfm.core.bands import find
from eosfm.core.files import atomic
from eosfm.heads.pictures import reduced
from eosfm.kinds import Examples
from eosfm.tiles.dataset import TileDataset, collate
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 80
COLORS = 256
"""Colours of the file: a palette keeps it to some tens of kilobytes."""

COMPOSITES = (("red", "green", "blue"), ("nir", "red", "green"))


def draw_predictions(
    module: SpecialistModule, store: TileStore, bands: Sequence[str], out: Path
) -> None:
    """Draw images, labels and predictions side by side.

    Args:
        module: A trained specialist, on the CPU; left in evaluation mode.
        store: Tiles with a validation split.
        bands: What the specialist looks at.
        out: The PNG to write; the same specialist and tiles give the same bytes.
    """
    kind, split = module.kind, store.split("val")
    tiles = TileDataset(store, "val", bands)
    shown = kind.examples(len(split), split.target, store.ignore_index)
    batch = collate(kind)(tiles.__getitems__(shown))
    module.eval()
    with torch.inference_mode():
        predictions = kind.predict(module(batch["image"]))
    pictures, caption = _stretched(batch["image"], bands)
    figure = kind.draw(
        Examples(
            pictures,
            caption,
            kind.target(batch),
            predictions,
            store.classes,
            store.ignore_index,
            (store.shape[2], store.shape[3]),
        )
    )
    _save(figure, out)


def _stretched(images: Tensor, bands: Sequence[str]) -> tuple[np.ndarray, str]:
    """(N, T, h, w, 3) of 0 to 1, stretched over all tiles and dates together, and the bands."""
    for composite in COMPOSITES:
        names = [find(name, bands) for name in composite]
        if None not in names:
            break
    else:
        names = [bands[0]]
    channels = [list(bands).index(str(name)) for name in names]
    shown = reduced(images[:, :, channels].flatten(0, 1)).unflatten(0, images.shape[:2])
    values = shown.movedim(2, -1).numpy()
    low, high = np.percentile(values, (2, 98), axis=(0, 1, 2, 3))
    stretched = np.clip((values - low) / np.maximum(high - low, 1e-6), 0, 1)
    return np.broadcast_to(stretched, (*stretched.shape[:-1], 3)), " ".join(map(str, names))


def _save(figure: "Figure", out: Path) -> None:
    """Write the figure as a palette PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    small = picture.quantize(COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    with atomic(out) as beside:
        small.save(beside, "PNG", optimize=True)
