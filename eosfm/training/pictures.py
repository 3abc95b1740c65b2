"""A picture of what a specialist predicts: some validation tiles, their labels, its answers."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eosfm.core.bands import find
from eosfm.kinds import predict
from eosfm.kinds.detection import detections
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.layout import PIXEL_KINDS
from eosfm.tiles.store import TileStore
from eosfm.training.boxes import boxed_images
from eosfm.training.module import SpecialistModule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TILES = 4
CANDIDATES = 64
"""Validation tiles, evenly spread, of which those with the most varied labels are shown."""

PIXELS = 128
"""Larger tiles are reduced to this size."""

DPI = 80
COLORS = 256
"""Colours of the file: a palette keeps it to some tens of kilobytes."""

COMPOSITES = (("red", "green", "blue"), ("nir", "red", "green"))
UNLABELLED = "#ffffff"
VERDICTS = {"found": ("✓", "#1a7f37"), "missed": ("-", "#1f4fbf"), "wrong": ("✗", "#c1121f")}
"""Mark and colour of a class that an image has, or that it was given."""


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
    tiles = TileDataset(store, "val", bands)
    pixels = store.kind in PIXEL_KINDS
    shown = _most_varied(store, TILES) if pixels else _spread(len(tiles), 2 * TILES)
    samples = tiles.__getitems__(shown)
    images = torch.stack([sample["image"] for sample in samples])
    module.eval()
    with torch.inference_mode():
        logits = module(images).float()
    targets = [sample["target"] for sample in samples]
    pictures, caption = _stretched(images, bands)
    if store.kind == "detection":
        figure = boxed_images(pictures, targets, detections(logits), store, caption)
        return _save(figure, out)
    answers = predict(store.kind, logits)
    if not pixels:
        figure = _labelled_images(pictures, targets, answers, store, caption)
    elif store.kind == "regression":
        figure = _value_maps(pictures, targets, answers, store, caption)
    else:
        figure = _class_maps(pictures, targets, answers, store, caption)
    _save(figure, out)


def _spread(available: int, count: int) -> list[int]:
    return np.linspace(0, available - 1, min(available, count)).astype(int).tolist()


def _most_varied(store: TileStore, count: int) -> list[int]:
    """Tiles whose labels vary most: by the entropy of the classes, or by standard deviation."""
    split = store.split("val")

    def variety(index: int) -> float:
        target = split.target(index)
        if store.kind == "regression":
            known = target[~np.isnan(target)]
            return float(known.std()) if known.size else 0.0
        known = target[target != store.ignore_index]
        share = np.bincount(known.astype(np.int64), minlength=1) / max(known.size, 1)
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())

    candidates = _spread(len(split), CANDIDATES)
    return sorted(sorted(candidates, key=variety, reverse=True)[:count])


def _stretched(images: Tensor, bands: Sequence[str]) -> tuple[np.ndarray, str]:
    """(N, T, h, w, 3) of 0 to 1, stretched over all tiles and dates together, and the bands."""
    for composite in COMPOSITES:
        names = [find(name, bands) for name in composite]
        if None not in names:
            break
    else:
        names = [bands[0]]
    places = [list(bands).index(str(name)) for name in names]
    shown = _reduced(images[:, :, places].flatten(0, 1)).unflatten(0, images.shape[:2])
    channels = shown.movedim(2, -1).numpy()
    low, high = np.percentile(channels, (2, 98), axis=(0, 1, 2, 3))
    stretched = np.clip((channels - low) / np.maximum(high - low, 1e-6), 0, 1)
    return np.broadcast_to(stretched, (*stretched.shape[:-1], 3)), " ".join(map(str, names))


def _reduced(maps: Tensor, mode: str = "area") -> Tensor:
    """(N, C, H, W) at no more than :data:`PIXELS`."""
    height, width = (min(size, PIXELS) for size in maps.shape[-2:])
    return F.interpolate(maps.float(), size=(height, width), mode=mode)


def _rows(pictures: np.ndarray, extra: Sequence[str], caption: str) -> tuple["Figure", Any]:
    """Panels: a row per date with the images drawn, then a row per further name."""
    from matplotlib.figure import Figure

    count, dates = pictures.shape[:2]
    names = [caption] if dates == 1 else [f"{caption}\ndate {d + 1}" for d in range(dates)]
    names += extra
    figure = Figure(figsize=(1.4 * count + 1.9, 1.4 * len(names) + 0.1), layout="constrained")
    panels = figure.subplots(len(names), count, squeeze=False)
    for panel in panels.flat:
        panel.set(xticks=[], yticks=[])
    for row, name in enumerate(names):
        panels[row, 0].set_ylabel(name, fontsize=8)
    for column in range(count):
        for date in range(dates):
            panels[date, column].imshow(pictures[column, date], interpolation="nearest")
    return figure, panels[dates:]


def _class_maps(
    pictures: np.ndarray, targets: list[Tensor], answers: Tensor, store: TileStore, caption: str
) -> "Figure":
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    figure, panels = _rows(pictures, ["label", "prediction"], caption)
    base = colormaps["tab10" if len(store.classes) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    palette = np.array([base[k % len(base)] for k in range(len(store.classes))])
    seen: set[int] = set()
    for column, pair in enumerate(zip(targets, answers, strict=True)):
        for panel, classes in zip(panels[:, column], pair, strict=True):
            index = _reduced(classes[None, None], "nearest")[0, 0].long().numpy()
            known = (index >= 0) & (index < len(palette)) & (index != store.ignore_index)
            drawn = np.full((*index.shape, 3), to_rgb(UNLABELLED))
            drawn[known] = palette[index[known]]
            panel.imshow(drawn, interpolation="nearest")
            seen |= set(index[known].tolist())
    names = {k: textwrap.fill(store.classes[k], 22) for k in sorted(seen)}
    keys = [Patch(color=palette[k], label=name) for k, name in names.items()]
    figure.legend(handles=keys, loc="outside right center", fontsize=7, frameon=False)
    return figure


def _value_maps(
    pictures: np.ndarray, targets: list[Tensor], answers: Tensor, store: TileStore, caption: str
) -> "Figure":
    figure, panels = _rows(pictures, ["label", "prediction"], caption)
    known = torch.cat([target[~target.isnan()] for target in targets]).numpy()
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    for column, pair in enumerate(zip(targets, answers, strict=True)):
        for panel, values in zip(panels[:, column], pair, strict=True):
            shown = panel.imshow(
                _reduced(values[None, None], "nearest")[0, 0].numpy(),
                vmin=low, vmax=high, cmap="viridis", interpolation="nearest",
            )  # fmt: skip
    bar = figure.colorbar(shown, ax=figure.axes, fraction=0.05)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(store.classes[0], fontsize=8)
    return figure


def _labelled_images(
    pictures: np.ndarray, targets: list[Tensor], answers: Tensor, store: TileStore, caption: str
) -> "Figure":
    """Images with their labels below: found, missed, or wrongly given."""
    from matplotlib.figure import Figure

    pairs = [
        (_names(target, store), _names(answer, store))
        for target, answer in zip(targets, answers, strict=True)
    ]
    lines = max(len(truth | guess) for truth, guess in pairs)
    rows = -(-len(pairs) // TILES)
    figure = Figure(figsize=(1.7 * TILES, rows * (1.6 + 0.12 * lines) + 0.3))
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / figure.get_figheight(), hspace=0.0)
    panels = figure.subplots(rows, TILES, squeeze=False, gridspec_kw={"wspace": 0.1})
    for panel in panels.flat:
        panel.axis("off")
    for panel, picture, (truth, guess) in zip(panels.flat, pictures, pairs, strict=False):
        panel.set_anchor("N")
        panel.imshow(picture[0], interpolation="nearest")
        for line, name in enumerate(sorted(truth | guess)):
            verdict = "found" if name in truth & guess else "missed" if name in truth else "wrong"
            mark, color = VERDICTS[verdict]
            panel.annotate(
                f"{mark} " + textwrap.shorten(name, 28, placeholder="…"),
                (0, 0), (0, -4 - 8.5 * line),
                xycoords="axes fraction", textcoords="offset points", va="top", fontsize=6.5,
                color=color,
            )  # fmt: skip
    legend = [(f"{mark} {word}", color) for word, (mark, color) in VERDICTS.items()]
    for place, (text, color) in enumerate([(caption, "#000000"), *legend]):
        figure.text(0.01 + 0.25 * place, 0.995, text, color=color, va="top", fontsize=8)
    return figure


def _names(answer: Tensor, store: TileStore) -> set[str]:
    """Classes that a target or a prediction of an image holds."""
    if answer.ndim:
        return {name for name, value in zip(store.classes, answer, strict=True) if value == 1}
    return {store.classes[int(answer)]} if int(answer) != store.ignore_index else set()


def _save(figure: "Figure", out: Path) -> None:
    """Write the figure as a palette PNG, beside the target, then rename."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    palette = Image.Quantize.MEDIANCUT
    picture.quantize(COLORS, palette, dither=Image.Dither.NONE).save(beside, "PNG", optimize=True)
    beside.replace(out)
