"""The tables of the report, as Markdown and as CSV for ``dvc plots``."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from eosfm.core.files import atomic
from eosfm.core.results import EnergyRecord
from eosfm.params import Params
from eosfm.report.answer import answers, labels_seen
from eosfm.report.compare import difference, leads, mean_interval, score_interval
from eosfm.report.figures import display_name
from eosfm.report.geobench import aggregate
from eosfm.report.results import BASELINES, MODELS, Results


def scores_table(params: Params, results: Results) -> list[list[str]]:
    """Task by task: metric, EosFM, every baseline, constant, labels; the mean in the last row.

    A baseline that differs from EosFM by more than scenes and fits explain has a star.
    """
    columns = ("labels", "labels seen by specialists", "active specialists")
    rows = [["task", "metric", "EosFM", *BASELINES, "constant", *columns]]
    for name, result in results.evaluate.items():
        seen = labels_seen(params, name, result)
        others = [
            f"{results.of(baseline)[name].test[result.metric]:.3f}"
            f"{'*' if difference(results, baseline, name)[1].apart else ''}"
            for baseline in BASELINES
        ]
        rows.append(
            [
                name,
                result.metric,
                f"{result.test[result.metric]:.3f} ({score_interval(results, 'eosfm', name)})",
                *others,
                _known(results.evidence[name].constant(result.metric)),
                str(result.labels),
                f"{seen[0]} by {seen[1]}" if seen[1] else "0",
                str(len(result.selected)),
            ]
        )
    means = [f"**{results.mean_score(model):.3f}**" for model in BASELINES]
    ours = f"**{results.mean_score('eosfm'):.3f}** ({mean_interval(results, 'eosfm')})"
    constant = f"{fmean(results.constants().values()):.3f}"
    rows.append(["**mean**", "", ours, *means, constant, "", "", ""])
    return rows


def _known(value: float) -> str:
    """With three decimals; the constant's absolute error is not known."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def models_table(results: Results) -> list[list[str]]:
    """Model by model: its mean score in two forms, and how EosFM stands against it."""
    lead = ["EosFM ahead by", "95 % interval of that", "median", "ahead on", "behind on"]
    lead += ["p", "EosFM is"]
    rows = [["model", "mean", "95 % interval", "normalised IQM", *lead]]
    values, rivals = aggregate(results), leads(results)
    for name in MODELS:
        value = values[name]
        row = [
            display_name(name),
            f"{results.mean_score(name):.3f}",
            str(mean_interval(results, name)),
            f"{value.value:.3f}" + (f" ± {value.error:.3f}" if value.error is not None else ""),
        ]
        if one := rivals.get(name):
            of = one.interval
            row += [f"{one.mean:+z.3f}", str(of), f"{one.median:+z.3f}", str(one.wins)]
            row += [str(one.losses), one.shown_p, one.verdict]
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    return rows


def differences_table(results: Results) -> list[list[str]]:
    """Task by task: EosFM's 0-to-1 score less that of each baseline; the mean in the last row."""
    rows = [["task", *map(display_name, BASELINES)]]
    for task in results.evaluate:
        found = [difference(results, baseline, task) for baseline in BASELINES]
        rows.append([task, *(f"{d:+z.3f} ({i})" for d, i in found)])
    means = [(one.mean, one.interval) for one in leads(results).values()]
    rows.append(["mean", *(f"{d:+z.3f} ({i})" for d, i in means)])
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
        _total([r.kwh for r in records], 2),
        _total([r.co2eq_kg for r in records], 3),
        f"{max(r.peak_memory_gib for r in records):.2f}",
    ]


def _total(amounts: Sequence[float | None], digits: int) -> str:
    """The sum in thousandths of the unit: at least that where some are unknown."""
    known = [amount for amount in amounts if amount is not None]
    if not known:
        return "unknown"
    least = "at least " if len(known) < len(amounts) else ""
    return f"{least}{1000 * sum(known):.{digits}f}"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is the header."""
    header, *body = rows
    lines = [header, ["---"] * len(header), *body]
    # A class may have a bar in its name, which would end the cell.
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def results_section(params: Params, results: Results) -> str:
    """The tables in the order in which a reader asks for them."""
    return "\n\n".join(
        [
            *answers(params, results),
            markdown(scores_table(params, results)),
            "In brackets: 95 % interval over resampled test scenes and fits. *: the interval of "
            "the paired difference from EosFM excludes 0. rmse: lower is better; the mean uses R² "
            "instead, at least 0. Constant: the best score of an answer that ignores the image, "
            "such as one class everywhere. Labels seen by specialists: `400 by 2` means that two "
            "of the specialists in use were trained on 400 labelled tiles of the task's own "
            "dataset.",
            markdown(models_table(results)),
            "p: two-sided paired permutation test over the tasks. Normalised IQM: interquartile "
            "mean of the scores, scaled on each task to the range of these models, as in "
            "GEO-Bench-2; it only compares the models of this table.",
            "Specialists, scored on their validation splits:",
            markdown(specialists_table(params, results)),
            "Energy and time of these results (CodeCarbon; estimated if power cannot be read):",
            markdown(energy_table(results)),
        ]
    )


def summary_section(params: Params, results: Results) -> str:
    """The answer, and the mean score of every model."""
    rows = [["", *map(display_name, MODELS)]]
    ours = f"**{results.mean_score('eosfm'):.3f}** ({mean_interval(results, 'eosfm')})"
    rows.append(["**mean**", ours, *(f"{results.mean_score(name):.3f}" for name in BASELINES)])
    return "\n\n".join([*answers(params, results), markdown(rows)])


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows, whole or not at all."""
    with atomic(path) as beside, beside.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
