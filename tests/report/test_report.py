import csv
import json
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import yaml

from eosfm.core.errors import EosfmError
from eosfm.params import RESERVED
from eosfm.report import write_report
from eosfm.report.pictures import fit_curves, selection_curves, selection_map
from eosfm.report.plots import bars, write_plots
from eosfm.report.readme import BEGIN, END, replace_section, stale_scores
from eosfm.report.results import BASELINES, collect
from eosfm.report.summary import summarise, write_table
from eosfm.report.tables import (
    energy_table,
    markdown,
    results_section,
    scores_table,
    specialists_section,
    specialists_table,
    summary_section,
)

from .conftest import ROOT, SCORES, write_results

PLOTS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
PLOTS = {Path(path).name: shown for entry in PLOTS for path, shown in entry.items()}
"""What dvc.yaml draws, by file."""


def test_metrics_are_flat_and_add_up(params, results):
    records = len(list(results.rglob("energy.json")))
    path = results / "export" / "energy.json"
    # The last run made the artifact alone; 999 started before 1000, whatever the letters say.
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run": "5-2000"}))
    other = results / "tile" / next(iter(params.datasets)) / "energy.json"
    other.write_text(json.dumps(json.loads(other.read_text()) | {"run": "9-999"}))
    metrics = summarise(collect(params, results))
    # An error in physical units counts by its R2, which is 0.4 here.
    scores = [
        0.4 if task.metric == "rmse" else 0.5 + 0.01 * i
        for i, task in enumerate(params.tasks.values())
    ]
    tasks = len(scores)
    assert metrics["score.mean"] == pytest.approx(sum(scores) / tasks, abs=1e-5)
    errors = [task.metric for task in params.tasks.values()].count("rmse")
    for kind in BASELINES:
        mean = (SCORES[kind] * (tasks - errors) + 0.4 * errors) / tasks
        assert metrics[f"baseline.{kind}.mean"] == pytest.approx(mean, abs=1e-5)
        assert metrics[f"lead.{kind}"] == pytest.approx(metrics["score.mean"] - mean, abs=1e-5)
        assert metrics[f"wins.{kind}"] == tasks - errors
        assert (
            metrics[f"lead.{kind}.low"] <= metrics[f"lead.{kind}"] <= metrics[f"lead.{kind}.high"]
        )
        assert metrics[f"geobench2.{kind}"] < metrics["geobench2.eosfm"]
        # Of 2^13 patterns of signs two are as far out as all ahead; one task is even.
        assert metrics[f"p.{kind}"] == pytest.approx(2 * 2**errors / 2**tasks, rel=1e-4)
    assert metrics["energy.kwh"] == pytest.approx(0.001 * records)
    assert metrics["energy.run_kwh"] == pytest.approx(0.001)
    assert metrics["energy.hours"] == pytest.approx(0.01 * records)
    active = [min(2 + i, len(params.specialists)) for i in range(tasks)]
    assert metrics["ensemble.active"] == pytest.approx(sum(active) / tasks, rel=1e-4)
    assert metrics["ensemble.params_m"] == 33.9
    assert len(metrics) == tasks + 11 + 7 * len(BASELINES)


def test_the_report_is_metrics_tables_and_pictures(shown, tmp_path):
    params, results = shown, write_results(shown, tmp_path / "results")
    line = write_report(params, results, tmp_path / "metrics.json")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics == summarise(collect(params, results))
    assert line.startswith(f"report: mean score {metrics['score.mean']:.3f} (random weights 0.1")
    text = (results / "report.md").read_text()
    assert text.startswith(f"# Results\n\nScale `{params.scale}`, seed {params.seed}.")
    assert "| **all** |" in text and "## Specialists" in text
    plots = results / "plots"
    assert (plots / "scores.csv").read_text().splitlines()[1] == "hls_burn_scars,0.5"
    mean = (0.3 * (len(params.tasks) - 1) + 0.4) / len(params.tasks)
    assert f"scratch,{mean:.4f}" in (plots / "models.csv").read_text()
    count = len(params.specialists)
    assert f"train,{count}.0" in (plots / "energy.csv").read_text()
    active = [line.split(",")[1] for line in (plots / "active.csv").read_text().splitlines()[1:]]
    assert active == [f"{min(2 + i, count)}.0" for i in range(len(params.tasks))]
    assert f"{next(reversed(params.specialists))},0.6" in (plots / "specialists.csv").read_text()


def test_a_fit_in_closed_form_has_no_panel(params, collected, results):
    first, *others = params.tasks
    curves = {
        name: results / "evaluate" / name / "live" / "plots" / "metrics" for name in params.tasks
    }

    def one_step(name: str) -> None:
        for curve in curves[name].iterdir():
            curve.write_text("".join(curve.read_text().splitlines(keepends=True)[:2]))

    one_step(first)
    drawn = fit_curves(collected, results)
    titles = [axes.get_title().split("\n")[0] for axes in drawn.axes]
    assert [title for title in titles if title] == others
    for name in others:
        one_step(name)
    assert fit_curves(collected, results) is None


def test_specialists_that_explain_nothing_are_drawn_without_a_warning(collected):
    """Validation labels may all be the same, as where nothing changed."""
    paths = {
        task: replace(path, explained=(0.0,) * len(path.explained))
        for task, path in collected.selection.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        selection_curves(replace(collected, selection=paths))


def test_every_plot_has_the_columns_that_it_draws_and_a_title(params, collected, written, tmp_path):
    write_plots(collected, written, tmp_path)
    assert len(PLOTS) >= 12
    for name, shown in PLOTS.items():
        assert shown["title"]
        if name.endswith(".png"):
            continue
        with (tmp_path / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows and {shown["x"], shown["y"]} <= set(rows[0]), name
        if shown["template"] == "panels":
            assert "name" in rows[0]


def test_the_table_has_a_row_per_task_and_six_over_all(params, collected, tmp_path):
    write_table(collected, tmp_path / "metrics")
    rows = read_table(tmp_path / "metrics")
    assert set(rows) == {*params.tasks, *RESERVED}
    metrics = summarise(collected)

    def told(key: str) -> object:  # a metric, of as many digits as fit beside five others
        return pytest.approx(metrics[key], abs=1e-4)

    for task in params.tasks:
        assert rows[task]["eosfm"] == told(f"score.{task}")
    for name in BASELINES:
        assert rows["mean"][name] == told(f"baseline.{name}.mean")
        assert rows["lead"][name] == told(f"lead.{name}")
        assert rows["p"][name] == told(f"p.{name}")
    assert rows["specialists"] == {"eosfm": told("ensemble.active")}


def test_dvc_shows_the_table_and_its_changes_within_100_characters(collected, tmp_path):
    project, files = tmp_path / "project", Path("results/metrics")
    write_table(collected, project / files)

    def run(*words: str) -> list[str]:
        done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    run("git", "init", "-q")
    run("dvc", "init", "-q")
    (project / "dvc.yaml").write_text(f"metrics: [{files}]\n")
    run("git", "add", ".")
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "before")
    rows = read_table(project / files)
    for name, row in rows.items():
        after = {key: -round(value + 0.0123, 4) for key, value in row.items()}
        (project / files / name).write_text(json.dumps(after))
    table, changes = run("dvc", "metrics", "show"), run("dvc", "metrics", "diff")
    assert len(table) == 1 + len(rows)
    assert len(changes) == 1 + sum(map(len, rows.values()))
    assert max(map(len, table + changes)) <= 100


def read_table(folder: Path) -> dict[str, dict[str, float]]:
    """The rows that :func:`write_table` wrote."""
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def test_a_dataset_that_nobody_uses_counts_for_nothing(params, collected, written):
    more = params.datasets | {"spare": next(iter(params.datasets.values()))}
    spare = params.model_copy(update={"datasets": more})
    assert collect(spare, written).energy == collected.energy


def test_a_missing_result_names_its_stage(params, results):
    name = next(iter(params.tasks))
    (results / "baseline" / name / "metrics.json").unlink()
    with pytest.raises(EosfmError, match=f"dvc repro baseline@{name}"):
        collect(params, results)


def test_tables_hold_every_item(params, collected):
    scores = scores_table(params, collected)
    assert [row[0] for row in scores[1:-1]] == list(params.tasks)
    assert scores[1][2].startswith("0.500 (0.")
    # All models did the same on the same resamples, so that no difference is one of scenes.
    assert dict(zip(scores[0], scores[1], strict=True))["scratch"] == "0.300*"
    constant = [float(row[scores[0].index("constant")]) for row in scores[1:]]
    assert constant[-1] == pytest.approx(fmean(collected.constants().values()), abs=5e-4)
    assert constant[0] == pytest.approx(
        collected.evidence[scores[1][0]].constant(scores[1][1]), abs=5e-4
    )
    seen = {row[0]: row[scores[0].index("labels seen by specialists")] for row in scores[1:-1]}
    learnt = [entry.dataset for entry in params.specialists.values()]
    assert seen["bigearthnet"] == f"160 by {learnt[: 1 + len(params.tasks)].count('bigearthnet')}"
    assert seen["pastis"] == "0"
    assert [row[0] for row in specialists_table(params, collected)[1:]] == list(params.specialists)
    assert {row[-1] for row in specialists_table(params, collected)[1:]} == {"water 0.500"}
    energy = energy_table(collected)
    assert float(energy[-1][3]) == pytest.approx(len(collected.energy))
    assert markdown([["class"], ["grass|field 0.1"]]).endswith(r"| grass\|field 0.1 |")
    lines = markdown(scores).splitlines()
    assert {line.count("|") for line in lines} == {len(scores[0]) + 1}


def test_energy_that_is_not_known_is_not_0(collected):
    one, *others = collected.energy
    unknown = replace(one, kwh=None, co2eq_kg=None)
    first, *_, whole = energy_table(replace(collected, energy=[unknown, *others]))[1:]
    assert first[3].startswith("at least ") and whole[3].startswith("at least ")
    assert energy_table(replace(collected, energy=[unknown]))[-1][3:5] == ["unknown"] * 2


def test_the_constants_absolute_error_is_not_known(params, results):
    task = next(name for name, entry in params.tasks.items() if entry.metric == "rmse")
    for stage in ("evaluate", "baseline"):
        path = results / stage / task / "metrics.json"
        path.write_text(path.read_text().replace("rmse", "mae"))
    header, *rows = scores_table(params, collect(params, results))
    (row,) = (row for row in rows if row[0] == task)
    assert row[header.index("metric")] == "mae" and row[header.index("constant")] == "-"


def test_specialists_of_an_artifact_that_was_brought_along_are_drawn(collected):
    brought = {name: replace(r, selected=("theirs",)) for name, r in collected.evaluate.items()}
    theirs = replace(
        collected, evaluate=brought, export=replace(collected.export, specialists=("theirs",))
    )
    assert bars(theirs)["chosen"][1][-1] == ("theirs", len(brought))
    assert selection_map(theirs).axes[0].get_yticklabels()[-1].get_text() == "theirs"
    path = replace(next(iter(collected.selection.values())), specialists=("theirs",))
    paths = dict.fromkeys(collected.selection, replace(path, explained=(0.5,)))
    _, energy = selection_curves(replace(theirs, selection=paths)).axes
    assert not energy.lines and "unknown" in energy.texts[0].get_text()


def test_every_specialist_is_shown_with_its_classes(params, collected):
    section = specialists_section(params, collected)
    for name in params.specialists:
        assert f"](train/{name}/predictions.png)" in section
    assert section.count("ice -, land 0.700, water 0.500") == len(params.specialists)


def test_pictures_are_the_same_bytes_twice(params, collected, written, tmp_path):
    for folder in ("a", "b"):
        write_plots(collected, written, tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert set(names) == set(PLOTS)
    for name in names:
        data = (tmp_path / "a" / name).read_bytes()
        assert data == (tmp_path / "b" / name).read_bytes()
        assert len(data) < 200_000


def test_the_readmes_results_are_replaced_and_nothing_else(params, collected, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    section = summary_section(params, collected)
    changed = replace_section(page, section)
    assert changed.startswith("before\n")
    assert changed.endswith(f"{END}\nafter\n")
    assert "old" not in changed
    page.write_text(changed)
    assert replace_section(page, section) == changed
    page.write_text("no marks")
    with pytest.raises(EosfmError, match="put both marks back"):
        replace_section(page, section)


def test_scores_that_a_page_does_not_show_are_named(params, collected):
    text = "| task | metric |\n| a | miou | 0.500 ± 0.010 |\n| b | miou | 0.250 ± 0.010 |\n"
    metrics = {"score.a": 0.50001, "score.b": 0.26, "score.b.low": 0.1, "energy.kwh": 1.0}
    assert stale_scores(text, metrics) == ["b"]
    assert stale_scores("", metrics) == ["a", "b"]
    # Metrics have five digits, and another model's cell is no excuse.
    text = "| a | rmse | **123.456** | 0.1 |\n| b | miou | 0.250 | 0.260 |\n"
    assert stale_scores(text, {"score.a": 123.46, "score.b": 0.26}) == ["b"]
    metrics = summarise(collected)
    assert stale_scores(results_section(params, collected), metrics) == []
    assert stale_scores(summary_section(params, collected), metrics) == list(params.tasks)
    metrics["score.mean"] += 0.01
    assert "mean" in stale_scores(summary_section(params, collected), metrics)


def test_no_task_has_no_report(params, written):
    with pytest.raises(EosfmError, match="names no task to report on"):
        collect(params.model_copy(update={"tasks": {}}), written)
