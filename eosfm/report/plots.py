"""What ``dvc plots`` draws: tables, and a few figures as small pictures."""

from collections.abc import Mapping
from pathlib import Path

from eosfm.report.compare import leads
from eosfm.report.curves import read_curve
from eosfm.report.figures import display_name, save
from eosfm.report.pictures import score_dots, selection_map
from eosfm.report.results import MODELS, Results
from eosfm.report.tables import write_csv

Row = tuple[str | float, ...]


def write_plots(results: Results, folder: Path, out: Path) -> None:
    """Write every table, one for each plot of dvc.yaml, and the pictures.

    Args:
        results: What the stages wrote.
        folder: Where they wrote it, curves among it (``results``).
        out: Folder to fill.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, (header, rows) in {**bars(results), **curves(results, folder)}.items():
        write_csv(out / f"{name}.csv", [header, *(tuple(map(_short, row)) for row in rows)])
    save(score_dots(results), out / "scores.png")
    save(selection_map(results), out / "selection.png")


def bars(results: Results) -> dict[str, tuple[Row, list[Row]]]:
    """Plots of one number per name: header and rows."""
    tasks = results.evaluate
    models = {name: results.mean_score(name) for name in MODELS}
    chosen = {
        name: sum(name in r.selected for r in tasks.values()) for name in results.specialists()
    }
    found: dict[str, tuple[Row, Mapping[str, float]]] = {
        "scores": (("task", "score"), {name: r.score for name, r in tasks.items()}),
        "models": (("model", "mean"), models),
        "leads": (
            ("baseline", "lead"),
            {display_name(n): one.mean for n, one in leads(results).items()},
        ),
        "specialists": (("specialist", "score"), {n: r.score for n, r in results.train.items()}),
        "active": (("task", "specialists"), {name: len(r.selected) for name, r in tasks.items()}),
        "chosen": (("specialist", "tasks"), chosen),
        "energy": (("stage", "wh"), results.by_stage(lambda record: 1000 * (record.kwh or 0.0))),
        "emissions": (
            ("stage", "grams"),
            results.by_stage(lambda record: 1000 * (record.co2eq_kg or 0.0)),
        ),
        "minutes": (("stage", "minutes"), results.by_stage(lambda record: record.seconds / 60)),
        "trainings": (
            ("specialist", "wh"),
            {name: 1000 * (results.spent(name) or 0.0) for name in results.train},
        ),
    }
    return {name: (header, list(values.items())) for name, (header, values) in found.items()}


def curves(results: Results, folder: Path) -> dict[str, tuple[Row, list[Row]]]:
    """Plots of one line per name: header and rows."""
    losses: list[Row] = []
    scores: list[Row] = []
    fits: list[Row] = []
    for name, trained in results.train.items():
        for rows, metric in ((losses, "loss"), (scores, trained.metric)):
            curve = read_curve(folder / "train" / name, metric)
            rows += [(name, step, value) for step, value in curve.items()]
    for name, result in results.evaluate.items():
        curve = read_curve(folder / "evaluate" / name, f"val_{result.metric}")
        fits += [(name, step, value) for step, value in curve.items()]
    explained: list[Row] = [
        (name, count, value)
        for name, path in results.selection.items()
        for count, value in enumerate(path.explained, start=1)
    ]
    return {
        "training_loss": (("name", "epoch", "loss"), losses),
        "training_score": (("name", "epoch", "score"), scores),
        "fits": (("name", "epoch", "score"), fits),
        "explained": (("name", "specialists", "explained"), explained),
    }


def _short(value: str | float) -> str | float:
    return value if isinstance(value, str) else float(f"{value:.4g}")
