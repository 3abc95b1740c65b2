"""Pictures of predictions: images, labels and answers side by side."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eosfm.core.bands import find
from eosfm.core.files import atomic
from eosfm.kinds.examples import EXAMPLES, Examples, spread

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eosfm.heads.fcos import Objects

PIXELS = 128
"""Larger tiles are reduced to this size."""

DATES = 3
"""Of a longer series so many dates are drawn, evenly spread."""

COMPOSITES = (("red", "green", "blue"), ("nir", "red", "green"))

DPI = 80
TEXT = 11
"""Font size in points: 12 pixels of the file, which the report shows at its own size."""

PANEL = PIXELS / DPI
"""Side of a tile in inches, so that its pixels are the file's."""

CARD = 2.3
"""Side of a captioned image in inches; a caption line has :data:`WORDS` characters."""

WORDS = 27
LINE = 1.2 * TEXT / 72
"""Height of a caption line in inches."""

COLORS = 256
"""Colours of the file: a palette keeps it to some tens of kilobytes."""

UNLABELLED, RIGHT, WRONG = "#ffffff", "#dfe5e1", "#c1121f"
VERDICTS = {"found": ("✓", "#1a7f37"), "missed": ("-", "#1f4fbf"), "wrong": ("✗", "#c1121f")}
"""Mark and colour of a class that an image has, or that it was given."""

MIN_SCORE = 0.4
"""Detections of a lower score are not drawn: they would crowd the picture."""

ENLARGED = 2
"""Boxes are drawn this much finer than the pixels they stand on."""

LABEL, FOUND = "#ffffff", "#ff2d2d"


def reduced(maps: Tensor, mode: str = "area") -> Tensor:
    """(N, C, H, W) at no more than :data:`PIXELS`."""
    height, width = (min(size, PIXELS) for size in maps.shape[-2:])
    return F.interpolate(maps.float(), size=(height, width), mode=mode)


def stretched(images: Tensor, bands: Sequence[str]) -> tuple[np.ndarray, str]:
    """(N, T, h, w, 3) of 0 to 1, each image stretched by itself, and the bands.

    So clouds on one date do not darken the others. An image without contrast stays flat.

    Args:
        images: (N, T, C, H, W).
        bands: Their channels.
    """
    for composite in COMPOSITES:
        names = [find(name, bands) for name in composite]
        if None not in names:
            break
    else:
        names = [bands[0]]
    channels = [list(bands).index(str(name)) for name in names]
    shown = reduced(images[:, :, channels].flatten(0, 1)).unflatten(0, images.shape[:2])
    values = shown.movedim(2, -1).numpy()
    low, high = np.percentile(values, (2, 98), axis=(2, 3), keepdims=True)
    least = np.median(high - low, axis=(0, 1)) / 2
    scaled = np.clip((values - low) / np.maximum(high - low, np.maximum(least, 1e-6)), 0, 1)
    return np.broadcast_to(scaled, (*scaled.shape[:-1], 3)), " ".join(map(str, names))


def save(figure: "Figure", out: Path) -> None:
    """Write a figure as a palette PNG; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    small = picture.quantize(COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    with atomic(out) as beside:
        small.save(beside, "PNG", optimize=True)


def _rows(examples: Examples) -> tuple["Figure", Any]:
    """Panels: images, a row per date, drawn; then empty ones of labels, predictions and errors."""
    from matplotlib.figure import Figure

    pictures, caption = examples.pictures, examples.caption
    count, dates = len(pictures), spread(pictures.shape[1], DATES)
    names = [f"{caption}\ndate {d + 1}" if len(dates) > 1 else caption for d in dates]
    names += ["label", "prediction", "error"]
    figure = Figure(figsize=(PANEL * count + 3, PANEL * len(names) + 0.1), layout="constrained")
    panels = figure.subplots(len(names), count, squeeze=False)
    for panel in panels.flat:
        panel.set(xticks=[], yticks=[])
    for row, name in enumerate(names):
        panels[row, 0].set_ylabel(name, fontsize=TEXT)
    for column in range(count):
        for row, date in enumerate(dates):
            panels[row, column].imshow(pictures[column, date], interpolation="nearest")
    return figure, panels[len(dates) :]


def class_palette(classes: int) -> np.ndarray:
    """A colour per class, (classes, 3) from 0 to 1: the same in pictures and in maps."""
    from matplotlib import colormaps

    base = colormaps["tab10" if classes <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    return np.array([base[k % len(base)] for k in range(classes)])


def class_maps(examples: Examples) -> "Figure":
    """Images, a colour per class of labels and predictions, and where these differ."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    classes = examples.classes
    figure, panels = _rows(examples)
    palette = class_palette(len(classes))
    seen: set[int] = set()
    for column, pair in enumerate(_pairs(examples)):
        truth, guess = (reduced(x[None, None], "nearest")[0, 0].long().numpy() for x in pair)
        for panel, index in zip(panels[:, column], (truth, guess), strict=False):
            known = (index >= 0) & (index < len(palette)) & (index != examples.ignore_index)
            drawn = np.full((*index.shape, 3), to_rgb(UNLABELLED))
            drawn[known] = palette[index[known]]
            panel.imshow(drawn, interpolation="nearest")
            seen |= set(index[known].tolist())
        error = np.where((truth == guess)[..., None], to_rgb(RIGHT), to_rgb(WRONG))
        error[truth == examples.ignore_index] = to_rgb(UNLABELLED)
        panels[2, column].imshow(error, interpolation="nearest")
    names = {k: textwrap.fill(classes[k], 22) for k in sorted(seen)}
    keys = [Patch(color=palette[k], label=name) for k, name in names.items()]
    keys += [Patch(color=RIGHT, label="error: right"), Patch(color=WRONG, label="error: wrong")]
    figure.legend(handles=keys, loc="outside right center", fontsize=TEXT, frameon=False)
    return figure


def value_maps(examples: Examples) -> "Figure":
    """Images, values of labels and predictions on one scale of colours, their difference."""
    figure, panels = _rows(examples)
    known = torch.cat([target[~target.isnan()] for target in examples.targets]).numpy()
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    values = {"vmin": low, "vmax": high, "cmap": "viridis"}
    half = (high - low) / 2
    errors = {"vmin": -half, "vmax": half, "cmap": "RdBu_r"}
    for column, pair in enumerate(_pairs(examples)):
        truth, guess = (reduced(x[None, None], "nearest")[0, 0].numpy() for x in pair)
        rows = ((truth, values), (guess, values), (guess - truth, errors))
        for panel, (drawn, scale) in zip(panels[:, column], rows, strict=True):
            panel.imshow(drawn, interpolation="nearest", **scale)
    for of, label in ((panels[:2], examples.classes[0]), (panels[2:], "prediction less label")):
        bar = figure.colorbar(of[-1, -1].images[0], ax=list(of.flat), fraction=0.05, panchor=False)
        bar.ax.tick_params(labelsize=TEXT)
        bar.set_label(label, fontsize=TEXT)
    return figure


def labelled_images(examples: Examples, pairs: Sequence[tuple[set[str], set[str]]]) -> "Figure":
    """Images with their labels below, given those of target and prediction."""
    from matplotlib.figure import Figure

    lines = max(len(truth | guess) for truth, guess in pairs)
    rows = -(-len(pairs) // EXAMPLES)
    figure = Figure(figsize=(CARD * EXAMPLES, rows * (CARD + LINE * lines) + 0.3))
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.3 / figure.get_figheight(), hspace=0.0)
    panels = figure.subplots(rows, EXAMPLES, squeeze=False, gridspec_kw={"wspace": 0.1})
    for panel in panels.flat:
        panel.axis("off")
    for panel, picture, (truth, guess) in zip(panels.flat, examples.pictures, pairs, strict=False):
        panel.set_anchor("N")
        panel.imshow(picture[0], interpolation="nearest")
        for line, name in enumerate(sorted(truth | guess)):
            verdict = "found" if name in truth & guess else "missed" if name in truth else "wrong"
            mark, color = VERDICTS[verdict]
            panel.annotate(
                f"{mark} " + textwrap.shorten(name, WORDS - 2, placeholder="…"),
                (0, 0), (0, -4 - 72 * LINE * line),
                xycoords="axes fraction", textcoords="offset points", va="top", fontsize=TEXT,
                color=color,
            )  # fmt: skip
    legend = [(f"{mark} {word}", color) for word, (mark, color) in VERDICTS.items()]
    for column, (text, color) in enumerate([(examples.caption, "#000000"), *legend]):
        figure.text(0.01 + 0.25 * column, 0.995, text, color=color, va="top", fontsize=TEXT)
    return figure


def boxed_images(examples: Examples) -> "Figure":
    """Images with the boxes of labels (white) and finds (red), counted by class above each."""
    from matplotlib.figure import Figure
    from torchvision.utils import draw_bounding_boxes

    pictures, classes = examples.pictures, examples.classes
    rows = -(-len(pictures) // EXAMPLES)
    figure = Figure(figsize=(CARD * EXAMPLES, (CARD + 2 * LINE) * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, EXAMPLES, squeeze=False)
    for panel in panels.flat:
        panel.axis("off")
    height, width = (ENLARGED * side for side in pictures.shape[2:4])
    scale = torch.tensor([width / examples.size[1], height / examples.size[0]]).repeat(2)
    for panel, picture, (truth, guess) in zip(
        panels.flat, pictures, _pairs(examples), strict=False
    ):
        sure = guess["scores"] >= MIN_SCORE
        found = {key: value[sure] for key, value in guess.items()}
        large = np.kron(picture[0], np.ones((ENLARGED, ENLARGED, 1)))
        drawn = torch.from_numpy(large).permute(2, 0, 1).float()
        for objects, color in ((truth, LABEL), (found, FOUND)):
            if len(objects["boxes"]):
                drawn = draw_bounding_boxes(drawn, objects["boxes"] * scale, colors=color, width=2)
        panel.imshow(drawn.permute(1, 2, 0).numpy(), interpolation="nearest")
        names = (_counted(truth, classes), f"found: {_counted(found, classes)}")
        title = "\n".join(textwrap.shorten(name, WORDS, placeholder=" …") for name in names)
        panel.set_title(title, fontsize=TEXT, loc="left")
    figure.supxlabel(f"{examples.caption}; white: labels; red: found", fontsize=TEXT)
    return figure


def _counted(objects: "Objects", classes: Sequence[str]) -> str:
    """How many of each class: ``2 ship, 1 harbor``."""
    labels, counts = objects["labels"].unique(return_counts=True)
    named = zip(counts.tolist(), labels.tolist(), strict=True)
    return ", ".join(f"{count} {classes[label]}" for count, label in named) or "nothing"


def _pairs(examples: Examples) -> Iterator[tuple[Any, Any]]:
    return zip(examples.targets, examples.predictions, strict=True)
