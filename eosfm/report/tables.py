"""The tables of the report, as Markdown and as CSV for ``dvc plots``."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eosfm.core.files import atomic
from eosfm.core.results import EnergyRecord
from eosfm.params import Params
from eosfm.report.results import BASELINES, Results


def scores_table(results: Results) -> list[list[str]]:
    """Task by task: metric, EosFM, every baseline; the mean in the last row."""
    rows = [["task", "metric", "EosFM", *BASELINES, "labels", "active specialists"]]
    for name, result in results.evaluate.items():
        metric = result.metric
        others = [results.of(baseline)[name].test[metric] for baseline in BASELINES]
        rows.append(
            [
                name,
                metric,
                f"{result.test[metric]:.3f} ± {result.spread[metric]:.3f}",
                *(f"{value:.3f}" for value in others),
                str(result.labels),
                str(len(result.selected)),
            ]
        )
    means = map(results.mean_score, ("eosfm", *BASELINES))
    rows.append(["**mean**", "", *(f"**{value:.3f}**" for value in means), "", ""])
    return rows


def specialists_table(params: Params, results: Results) -> list[list[str]]:
    """Specialist by specialist: dataset, bands, validation score against the constant answer."""
    rows = [["specialist", "dataset", "bands", "metric", "score", "constant", "weakest class"]]
    for name in params.specialists:
        entry, result = params.specialist(name), results.train[name]
        rows.append(
            [
                name,
                entry.dataset,
                str(len(entry.bands)),
                result.metric,
                f"{result.score:.3f}",
                f"{result.constant:.3f}",
                _weakest(result.per_class),
            ]
        )
    return rows


def _weakest(per_class: dict[str, float | None]) -> str:
    """The class with the lowest score among those that occur."""
    scores = {name: score for name, score in per_class.items() if score is not None}
    if not scores:
        return ""
    name = min(scores, key=lambda name: scores[name])
    return f"{name} {scores[name]:.3f}"


def specialists_section(params: Params, results: Results) -> str:
    """Specialist by specialist: every class's score, and predicted tiles.

    The pictures are linked as seen from the folder of the results.
    """
    parts = [
        "## Specialists\n\nOn validation tiles with varied labels. Scores by class are IoU, F1 for "
        "classification, average precision for multilabel and detection; - where a class does not "
        "occur."
    ]
    for name in params.specialists:
        scores = ", ".join(
            f"{label} {'-' if score is None else f'{score:.3f}'}"
            for label, score in results.train[name].per_class.items()
        )
        parts += [f"### {name}", scores, f"![predictions of {name}](train/{name}/predictions.png)"]
    return "\n\n".join(part for part in parts if part)


def energy_table(results: Results) -> list[list[str]]:
    """Stage by stage: runs, minutes, energy, emissions, most memory."""
    rows = [["stage", "items", "minutes", "Wh", "g CO2eq", "peak GiB"]]
    stages = list(dict.fromkeys(record.stage for record in results.energy))
    for stage in stages:
        rows.append(_energy_row(stage, [r for r in results.energy if r.stage == stage]))
    rows.append(_energy_row("**all**", results.energy))
    return rows


def _energy_row(name: str, records: list[EnergyRecord]) -> list[str]:
    return [
        name,
        str(len(records)),
        f"{sum(r.seconds for r in records) / 60:.1f}",
        f"{sum(r.kwh or 0 for r in records) * 1000:.2f}",
        f"{sum(r.co2eq_kg or 0 for r in records) * 1000:.3f}",
        f"{max(r.peak_memory_gib for r in records):.2f}",
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is the header."""
    header, *body = rows
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def results_section(params: Params, results: Results) -> str:
    """The tables in the order in which a reader asks for them."""
    return "\n\n".join(
        [
            markdown(scores_table(results)),
            "Specialists, on their validation splits (constant: the answer that looks at no image, "
            "majority class or mean value):",
            markdown(specialists_table(params, results)),
            "What these results took (CodeCarbon; estimated where power cannot be read):",
            markdown(energy_table(results)),
        ]
    )


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows, whole or not at all."""
    with atomic(path) as beside, beside.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
