"""Pictures of predictions: images, labels and answers side by side."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from eosfm.kinds.examples import EXAMPLES, Examples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eosfm.heads.fcos import Objects

PIXELS = 128
"""Larger tiles are reduced to this size."""

UNLABELLED = "#ffffff"
VERDICTS = {"found": ("✓", "#1a7f37"), "missed": ("-", "#1f4fbf"), "wrong": ("✗", "#c1121f")}
"""Mark and colour of a class that an image has, or that it was given."""

MIN_SCORE = 0.4
"""Less certain finds are not drawn; those that are not found at all would crowd the picture."""

ENLARGED = 2
"""Boxes are drawn this much finer than the pixels they stand on."""

LABEL, FOUND = "#ffffff", "#ff2d2d"


def reduced(maps: Tensor, mode: str = "area") -> Tensor:
    """(N, C, H, W) at no more than :data:`PIXELS`."""
    height, width = (min(size, PIXELS) for size in maps.shape[-2:])
    return F.interpolate(maps.float(), size=(height, width), mode=mode)


def _rows(examples: Examples) -> tuple["Figure", Any]:
    """Panels: a row per date with the images drawn, then one of labels and one of predictions."""
    from matplotlib.figure import Figure

    pictures, caption = examples.pictures, examples.caption
    count, dates = pictures.shape[:2]
    names = [caption] if dates == 1 else [f"{caption}\ndate {d + 1}" for d in range(dates)]
    names += ["label", "prediction"]
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


def class_palette(classes: int) -> np.ndarray:
    """A colour per class, (classes, 3) from 0 to 1: the same in pictures and in maps."""
    from matplotlib import colormaps

    base = colormaps["tab10" if classes <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    return np.array([base[k % len(base)] for k in range(classes)])


def class_maps(examples: Examples) -> "Figure":
    """Images, then a colour per class of labels and predictions, and their names."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    classes = examples.classes
    figure, panels = _rows(examples)
    palette = class_palette(len(classes))
    seen: set[int] = set()
    for column, pair in enumerate(_pairs(examples)):
        for panel, values in zip(panels[:, column], pair, strict=True):
            index = reduced(values[None, None], "nearest")[0, 0].long().numpy()
            known = (index >= 0) & (index < len(palette)) & (index != examples.ignore_index)
            drawn = np.full((*index.shape, 3), to_rgb(UNLABELLED))
            drawn[known] = palette[index[known]]
            panel.imshow(drawn, interpolation="nearest")
            seen |= set(index[known].tolist())
    names = {k: textwrap.fill(classes[k], 22) for k in sorted(seen)}
    keys = [Patch(color=palette[k], label=name) for k, name in names.items()]
    figure.legend(handles=keys, loc="outside right center", fontsize=7, frameon=False)
    return figure


def value_maps(examples: Examples) -> "Figure":
    """Images, then values of labels and predictions on one scale of colours."""
    figure, panels = _rows(examples)
    known = torch.cat([target[~target.isnan()] for target in examples.targets]).numpy()
    low, high = np.percentile(known, (2, 98)) if known.size else (0.0, 1.0)
    for column, pair in enumerate(_pairs(examples)):
        for panel, values in zip(panels[:, column], pair, strict=True):
            shown = panel.imshow(
                reduced(values[None, None], "nearest")[0, 0].numpy(),
                vmin=low, vmax=high, cmap="viridis", interpolation="nearest",
            )  # fmt: skip
    bar = figure.colorbar(shown, ax=figure.axes, fraction=0.05)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(examples.classes[0], fontsize=8)
    return figure


def labelled_images(examples: Examples, pairs: Sequence[tuple[set[str], set[str]]]) -> "Figure":
    """Images with their labels below, given those of target and prediction."""
    from matplotlib.figure import Figure

    lines = max(len(truth | guess) for truth, guess in pairs)
    rows = -(-len(pairs) // EXAMPLES)
    figure = Figure(figsize=(1.7 * EXAMPLES, rows * (1.6 + 0.12 * lines) + 0.3))
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
                f"{mark} " + textwrap.shorten(name, 28, placeholder="…"),
                (0, 0), (0, -4 - 8.5 * line),
                xycoords="axes fraction", textcoords="offset points", va="top", fontsize=6.5,
                color=color,
            )  # fmt: skip
    legend = [(f"{mark} {word}", color) for word, (mark, color) in VERDICTS.items()]
    for column, (text, color) in enumerate([(examples.caption, "#000000"), *legend]):
        figure.text(0.01 + 0.25 * column, 0.995, text, color=color, va="top", fontsize=8)
    return figure


def boxed_images(examples: Examples) -> "Figure":
    """Images with the boxes of labels (white) and finds (red), counted by class above each."""
    from matplotlib.figure import Figure
    from torchvision.utils import draw_bounding_boxes

    pictures, classes = examples.pictures, examples.classes
    rows = -(-len(pictures) // EXAMPLES)
    figure = Figure(figsize=(1.7 * EXAMPLES, 2.15 * rows + 0.2), layout="constrained")
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
        title = "\n".join(textwrap.shorten(name, 32, placeholder=" …") for name in names)
        panel.set_title(title, fontsize=6.5, loc="left")
    figure.supxlabel(f"{examples.caption}; white: labels; red: found", fontsize=8)
    return figure


def _counted(objects: "Objects", classes: Sequence[str]) -> str:
    """How many of each class: ``2 ship, 1 harbor``."""
    labels, counts = objects["labels"].unique(return_counts=True)
    named = zip(counts.tolist(), labels.tolist(), strict=True)
    return ", ".join(f"{count} {classes[label]}" for count, label in named) or "nothing"


def _pairs(examples: Examples) -> Iterator[tuple[Any, Any]]:
    return zip(examples.targets, examples.predictions, strict=True)
