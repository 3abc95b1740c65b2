"""The page that people look at: ``results/report.html``, one file that needs no network."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from eosfm.core.files import atomic
from eosfm.params import Params
from eosfm.report.compare import lead
from eosfm.report.figures import NAMES
from eosfm.report.plots import score_dots, selection_map, training_curves
from eosfm.report.results import BASELINES, Results
from eosfm.report.tables import energy_table, scores_table, specialists_table

PUBLISHED_KWH = 76.05
"""What the published system took, trial and error included (its README)."""

PICTURE_WIDTH = 900
"""Pixels of the pictures of predictions; wider ones are made smaller."""


def write_page(params: Params, results: Results, train: Path, out: Path) -> None:
    """Write the page.

    Args:
        params: All parameters.
        results: What the stages wrote.
        train: The results of the training stages, pictures and curves among them.
        out: The file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("eosfm.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    pictures = {name: train / name / "predictions.png" for name in params.specialists}
    html = environment.get_template("page.html").render(
        scale=params.scale,
        seed=params.seed,
        answer=answer(results),
        tables={
            "leads": _table(leads_table(results), totals=0),
            "scores": _table(scores_table(results), totals=1),
            "specialists": _table(specialists_table(params, results), totals=0),
            "energy": _table(energy_table(results), totals=1),
        },
        figures={
            "scores": svg(score_dots(results)),
            "selection": svg(selection_map(params, results)),
            "training": svg(training_curves(results, train)),
        },
        pictures={name: _picture(path) for name, path in pictures.items() if path.exists()},
        classes={name: results.train[name].per_class for name in params.specialists},
    )
    with atomic(out) as beside:
        beside.write_text(html, encoding="utf-8")


def answer(results: Results) -> list[str]:
    """What the numbers say, in three sentences."""
    tasks, mean = len(results.evaluate), results.mean_score("eosfm")
    best = max(BASELINES, key=results.mean_score)
    ahead = lead(results, best)
    used = sum(len(result.selected) for result in results.evaluate.values()) / tasks
    kwh = sum(record.kwh or 0 for record in results.energy)
    return [
        f"Over {tasks} downstream tasks the frozen ensemble scores {mean:.3f} on average, from 0 "
        f"to 1; the best baseline ({NAMES[best]}) scores {results.mean_score(best):.3f}, a "
        f"difference of {ahead.mean:+.3f} (p = {ahead.p:.2g}).",
        f"A task uses {used:.1f} of {len(results.export.specialists)} specialists, which hold "
        f"{results.export.parameters / 1e6:.1f} M parameters together.",
        f"All stages behind these numbers took {kwh:.4g} kWh; the published system took "
        f"{PUBLISHED_KWH} kWh, trial and error included.",
    ]


def leads_table(results: Results) -> list[list[str]]:
    """Baseline by baseline: its mean score, and how far EosFM is ahead of it."""
    rows = [["baseline", "mean", "EosFM ahead by", "on tasks", "behind on", "p"]]
    for name in BASELINES:
        one = lead(results, name)
        rows.append(
            [NAMES[name], f"{results.mean_score(name):.3f}", f"{one.mean:+.3f}", str(one.wins),
             str(one.losses), f"{one.p:.2g}"]
        )  # fmt: skip
    return rows


def svg(drawn: Figure) -> str:
    """A figure as SVG that takes the page's colour for its text and lines, freed after that.

    The same figure gives the same text.
    """
    import matplotlib.pyplot as plt

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "eosfm"}):
        drawn.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    plt.close(drawn)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    # Black is what matplotlib draws unless told otherwise: axes, ticks, text.
    text = text.replace("#000000", "currentColor").replace("#eeeeee", "var(--line)")
    return re.sub(r'(<svg[^>]*?) height="[^"]+"', r"\1", text, count=1)


def _picture(path: Path) -> str:
    """A picture as a data URI, small enough for a page with dozens of them."""
    from PIL import Image

    with Image.open(path) as image:
        shown = image.convert("RGB")
    shown.thumbnail((PICTURE_WIDTH, 10 * PICTURE_WIDTH))
    file = io.BytesIO()
    shown.save(file, "WEBP", quality=75, method=4)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _table(rows: list[list[str]], totals: int) -> dict[str, Any]:
    """A table's header, rows and totals (the last rows), without the marks of Markdown."""
    header, *body = [[cell.replace("**", "") for cell in row] for row in rows]
    end = len(body) - totals
    return {"header": header, "rows": body[:end], "totals": body[end:]}
