"""The numbers that stand in metrics.json, and those that ``dvc metrics`` shows as a table."""

from pathlib import Path
from statistics import fmean

from eosfm.core.errors import EosfmError
from eosfm.core.files import read_json, write_json
from eosfm.core.results import EnergyRecord
from eosfm.params import Params
from eosfm.report.compare import leads, mean_interval
from eosfm.report.geobench import aggregate
from eosfm.report.results import BASELINES, MODELS, Results


def summarise(results: Results) -> dict[str, float]:
    """The flat metrics: scores, baselines, ensemble size, energy; keys in a fixed order."""
    rivals, mean = leads(results), mean_interval(results, "eosfm")
    metrics = {
        **{f"score.{task}": r.test[r.metric] for task, r in results.evaluate.items()},
        "score.mean": results.mean_score("eosfm"),
        "score.mean.low": mean.low,
        "score.mean.high": mean.high,
        **{f"baseline.{name}.mean": results.mean_score(name) for name in BASELINES},
        **{f"lead.{name}": one.mean for name, one in rivals.items()},
        **{f"lead.{name}.low": one.interval.low for name, one in rivals.items()},
        **{f"lead.{name}.high": one.interval.high for name, one in rivals.items()},
        **{f"p.{name}": one.p for name, one in rivals.items()},
        **{f"wins.{name}": one.wins for name, one in rivals.items()},
        **{f"geobench2.{name}": one.value for name, one in aggregate(results).items()},
        "ensemble.specialists": len(results.export.specialists),
        "ensemble.active": active(results),
        "ensemble.params_m": results.export.parameters / 1e6,
        "energy.kwh": _kwh(results.energy),
        "energy.co2eq_kg": sum(r.co2eq_kg or 0.0 for r in results.energy),
        "energy.run_kwh": _kwh(latest_run(results.energy)),
        "energy.hours": sum(r.seconds for r in results.energy) / 3600,
    }
    if unknown := unknown_energy(results.energy):
        metrics["energy.unknown_stages"] = unknown
    return {key: _short(value) for key, value in metrics.items()}


def heading(params: Params) -> str:
    """Of report.md: which scale and seed it is of."""
    return f"Scale `{params.scale}`, seed {params.seed}."


def expect_one_run(params: Params, results: Results, folder: Path, metrics: Path) -> None:
    """Refuse results of another scale, or of which stages ran after the metrics were reported.

    Args:
        params: All parameters.
        results: What the stages wrote.
        folder: Where they wrote it, report.md among it (``results``).
        metrics: metrics.json, which the stage report made of such results.

    Raises:
        EosfmError: They disagree, so that a page would show tasks of different runs beside another,
            or simulated data as real.
    """
    report = folder / "report.md"
    if report.exists() and heading(params) not in (text := report.read_text()):
        found = next((line for line in text.splitlines() if line.startswith("Scale ")), "missing")
        raise EosfmError(
            f"{report} and params.yaml are of different runs: the heading is {found!r} in one and "
            f"{heading(params)!r} in the other; set params.yaml back, or run `dvc repro`"
        )
    if not metrics.exists():  # of a copy of results alone, or before the first report
        return
    reported = read_json(metrics, "run `dvc repro report`")
    for key, value in summarise(results).items():
        if key.startswith(("score.", "ensemble.")) and reported.get(key) != value:
            raise EosfmError(
                f"results/ and {metrics} are of different runs: {key} is {value} in one and "
                f"{reported.get(key)} in the other; run `dvc repro report`"
            )


def write_table(results: Results, folder: Path) -> None:
    """Write what ``dvc metrics show`` sets out as a table: one file per row.

    A row per task, and over all ``mean``, ``geobench2``, ``lead``, ``p``, ``wins`` and the mean
    number of ``specialists`` in use; columns are the models. A task's numbers are in its own
    metric, ``mean`` and ``lead`` in scores from 0 to 1. Lines have at most 100 characters: four
    decimals, and files without a suffix, which DVC reads as YAML, of which JSON is a part.
    """
    rows = {
        task: {name: results.of(name)[task].test[result.metric] for name in MODELS}
        for task, result in results.evaluate.items()
    }
    rows["mean"] = {name: results.mean_score(name) for name in MODELS}
    rows["specialists"] = {"eosfm": active(results)}
    rivals = leads(results)
    rows["lead"] = {name: one.mean for name, one in rivals.items()}
    rows["p"] = {name: one.p for name, one in rivals.items()}
    rows["wins"] = {name: one.wins for name, one in rivals.items()}
    rows["geobench2"] = {name: one.value for name, one in aggregate(results).items()}
    for name, row in rows.items():
        values = {key: _narrow(value) for key, value in row.items()}
        write_json(folder / name, values, sort_keys=False)


def active(results: Results) -> float:
    """Specialists that a task uses, mean over the tasks."""
    return fmean(len(result.selected) for result in results.evaluate.values())


def latest_run(records: list[EnergyRecord]) -> list[EnergyRecord]:
    """Records of the latest DVC run among these; run names end in their start time."""
    last = max((record.run for record in records), key=lambda run: int(run.rpartition("-")[2]))
    return [record for record in records if record.run == last]


def unknown_energy(records: list[EnergyRecord]) -> int:
    """Number of stages with unknown energy, which the sums leave out."""
    return sum(record.kwh is None for record in records)


def _kwh(records: list[EnergyRecord]) -> float:
    return sum(record.kwh or 0.0 for record in records)


def _narrow(value: float) -> float:
    """At most five digits, and four decimals: six such columns stand side by side."""
    return round(value, min(4, 5 - len(str(int(abs(value))))))


def _short(value: float) -> float:
    """Significant digits, because energy spans orders of magnitude."""
    return float(f"{value:.5g}")
