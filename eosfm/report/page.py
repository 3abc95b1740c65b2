"""The results page, ``results/report.html``: one file that needs no network."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from eosfm.core.files import atomic
from eosfm.params import Params
from eosfm.report.answer import answers
from eosfm.report.figures import COLORS
from eosfm.report.pictures import (
    PUBLISHED_KWH,
    energy_bars,
    fit_curves,
    score_dots,
    selection_curves,
    selection_map,
    training_curves,
)
from eosfm.report.results import Results
from eosfm.report.summary import active, unknown_energy
from eosfm.report.tables import (
    differences_table,
    energy_table,
    models_table,
    scores_table,
    specialists_table,
)

PICTURE_WIDTH = 900
"""Pixels of the pictures of predictions; wider ones are made smaller."""


FULL = (7, 60)
"""Inches of the narrowest figure that fills the page, and the page's width in rem (page.html)."""

PAGE_COLORS = {
    "#000000": "currentColor",  # what matplotlib draws unless told otherwise: axes, ticks, text
    "#eeeeee": "var(--line)",
    COLORS["eosfm"]: "var(--mark)",
}
"""Colours of figures that follow the page's, light or dark."""


@dataclass(frozen=True)
class Shown:
    """A specialist or a task, looked at.

    Attributes:
        score: The headline in words.
        picture: Some tiles with labels and predictions, as a data URI; empty where there are none.
        per_class: Score by class.
        confusion: By class: the percentage of its targets that was given each class, in the same
            order; None of a class without targets. Empty where classes do not exclude each other.
    """

    score: str
    picture: str
    per_class: dict[str, float | None]
    confusion: dict[str, list[int] | None]


def write_page(params: Params, results: Results, folder: Path, out: Path) -> None:
    """Write the page.

    Args:
        params: All parameters.
        results: What the stages wrote.
        folder: Where they wrote it, pictures and curves among it (``results``).
        out: The file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eosfm.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    tasks = {
        name: Shown(
            f"{result.metric} {result.test[result.metric]:.3f}",
            _picture(folder / "evaluate" / name / "predictions.png"),
            result.per_class,
            confusion(results, name),
        )
        for name, result in results.evaluate.items()
    }
    specialists = {
        name: Shown(
            f"{result.metric} {result.score:.3f}",
            _picture(folder / "train" / name / "predictions.png"),
            result.per_class,
            {},
        )
        for name, result in results.train.items()
    }
    fits = fit_curves(results, folder)
    html = environment.get_template("page.html").render(
        scale=params.scale,
        seed=params.seed,
        published=PUBLISHED_KWH,
        answer=sentences(params, results),
        tables={
            "models": _table(models_table(results), totals=0),
            "scores": _table(scores_table(params, results), totals=1),
            "differences": _table(differences_table(results), totals=1),
            "specialists": _table(specialists_table(params, results), totals=0),
            "energy": _table(energy_table(results), totals=1),
        },
        figures={
            "scores": svg(score_dots(results)),
            "selection": svg(selection_map(results)),
            "fits": svg(fits) if fits else "",
            "counts": svg(selection_curves(results)),
            "training": svg(training_curves(results, folder)),
            "energy": svg(energy_bars(results)),
        },
        tasks=tasks,
        specialists=specialists,
    )
    with atomic(out) as beside:
        beside.write_text(html, encoding="utf-8")


def sentences(params: Params, results: Results) -> list[str]:
    """What the numbers say, a sentence or two each."""
    used = active(results)
    wh = 1000 * sum(record.kwh or 0 for record in results.energy)
    spent = f"{wh / 1000:.1f} kWh" if wh >= 1000 else f"{wh:.1f} Wh"
    if unknown := unknown_energy(results.energy):
        spent = f"at least {spent} (of {unknown} it is unknown)"
    return [
        *answers(params, results),
        f"On average, a task uses {used:.1f} of {len(results.export.specialists)} specialists, "
        f"which have {results.export.parameters / 1e6:.1f} M parameters in all.",
        f"All stages together took {spent}. The published system, trained on the real archives "
        f"like scale full, took {PUBLISHED_KWH} kWh, trial and error included.",
    ]


def confusion(results: Results, task: str) -> dict[str, list[int] | None]:
    """The confusion matrix of all fits together, in percent of each class's targets."""
    whole = results.evidence[task].confusion("eosfm")
    if whole is None:
        return {}
    return {
        name: np.rint(100 * row / row.sum()).astype(int).tolist() if row.any() else None
        for name, row in zip(results.evaluate[task].classes, whole, strict=True)
    }


def svg(drawn: Figure) -> str:
    """A figure as SVG that takes the page's colour for its text and lines, freed after that.

    The same figure gives the same text.
    """
    import matplotlib.pyplot as plt

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "eosfm"}):
        drawn.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    inches, (full, rem) = drawn.get_figwidth(), FULL
    plt.close(drawn)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    if inches < full:  # of one task or one specialist: not drawn larger than the others
        size = f"width: {rem * inches / full:.1f}rem; min-width: 0"
        text = text.replace("<svg", f'<svg style="{size}"', 1)
    for drawn_as, shown_as in PAGE_COLORS.items():
        text = text.replace(drawn_as, shown_as)
    return re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", text, count=1)


def _picture(path: Path) -> str:
    """A picture as a data URI, small enough for a page with dozens of them; empty without one."""
    from PIL import Image

    if not path.exists():
        return ""
    with Image.open(path) as image:
        shown = image.convert("RGB")
    shown.thumbnail((PICTURE_WIDTH, 10 * PICTURE_WIDTH))
    file = io.BytesIO()
    shown.save(file, "WEBP", quality=75, method=2)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _table(rows: list[list[str]], totals: int) -> dict[str, Any]:
    """A table's header, rows and totals (the last rows), without the marks of Markdown."""
    header, *body = [[cell.replace("**", "") for cell in row] for row in rows]
    end = len(body) - totals
    return {"header": header, "rows": body[:end], "totals": body[end:]}
