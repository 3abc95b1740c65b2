"""DVC runs the pipeline for real; the tests follow one another on one project."""

import json

import pytest
import yaml

from .conftest import DATA, KEPT, ROOT, WATCH, bare, copy_project

ALL = {
    *(f"{stage}@{name}" for stage in ("download", "tile") for name in KEPT["datasets"]),
    *(f"train@{name}" for name in KEPT["specialists"]),
    *(f"{s}@{name}" for s in ("features", "evaluate", "baseline") for name in KEPT["tasks"]),
    "watch",
    "start",
    "export",
    "report",
}


def test_one_command_goes_from_nothing_to_scores(project):
    assert project.stages_run(project.first) == ALL
    metrics = json.loads((project.path / "metrics.json").read_text())
    for key in (
        *(f"score.{name}" for name in KEPT["tasks"]),
        "score.mean",
        *(
            f"baseline.{kind}.mean"
            for kind in ("random", "start", "single", "scratch", "statistics")
        ),
        "ensemble.specialists",
        "ensemble.active",
        "ensemble.params_m",
        "energy.kwh",
        "energy.co2eq_kg",
        "energy.run_kwh",
    ):
        assert isinstance(metrics[key], int | float), key
    assert metrics["ensemble.specialists"] == 2
    assert 0.6 < metrics["ensemble.params_m"] < 0.8
    assert metrics["energy.kwh"] == pytest.approx(metrics["energy.run_kwh"])
    table = project.run("dvc", "metrics", "show").stdout
    assert max(map(len, table.splitlines())) <= 100


def test_every_stage_ends_with_one_line_of_summary(project):
    for words in ("download eurosat: simulated", "tile eurosat:", "train levircdplus: f1",
                  "evaluate eurosat: accuracy", "report: mean score"):  # fmt: skip
        lines = [line for line in project.first.splitlines() if line.startswith(words)]
        assert lines, words


def test_git_sees_metrics_and_plots_and_no_data(project):
    tracked = project.run("git", "ls-files").stdout.split()
    assert "metrics.json" in tracked
    assert any(name.startswith("results/plots/") for name in tracked)
    ours = ("README.md", ".gitignore")
    assert {n for n in tracked if n.startswith(("data/", "models/"))} == {
        *(f"{folder}/{name}" for folder in ("data", "models") for name in ours),
        *(f"{folder}/dvc.{kind}" for folder in ("data", "data/watch") for kind in ("yaml", "lock")),
        "data/trusted/README.md",
    }
    shown = ("results/metrics/", "results/plots/")
    assert [n for n in tracked if n.startswith("results/") and not n.startswith(shown)] == []
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_every_parameter_that_a_stage_reads_is_declared(project):
    """What a stage read while it ran, against the params that dvc.yaml declares for it."""
    pipelines = [yaml.safe_load((ROOT / file).read_text()) for file in ("dvc.yaml", DATA, WATCH)]
    stages = {name: entry for file in pipelines for name, entry in file["stages"].items()}
    files = [file for file in project.trace.iterdir() if file.name.partition("-")[0] in stages]
    assert len(files) == len(ALL)
    params = project.params()

    def stands(key: str) -> str:
        """Where a value stands: in its entry, or in the defaults."""
        section, *rest = key.split(".")
        if len(rest) < 2 or section not in params["defaults"]:
            return key
        return key if rest[1] in params[section][rest[0]] else f"defaults.{section}.{rest[1]}"

    for file in files:
        stage, _, item = file.name.partition("-")
        if stage == "watch":  # runs in any case
            continue
        # What decides no result: where archives lie, CodeCarbon's country, who reads.
        free = {"scale", "archives", "energy.country", "scales.mini.protocol.workers"}
        if stage in ("download", "tile"):
            # A dep says it: the reader's file, and what watch has found in data/roots.
            free |= {f"datasets.{item}.{key}" for key in ("reader", "source", "root", "scenes")}
            free |= {f"defaults.datasets.{key}" for key in ("source", "root", "scenes")}
            free |= {"scales.mini.source"}
        entry = stages[stage].get("do", stages[stage])
        told = {"${key}": item, "${scale}": "mini"}
        if stage == "train":
            told["${item.dataset}"] = params["specialists"][item]["dataset"]
        declared = list(entry["params"])
        for word, value in told.items():
            declared = [key.replace(word, value) for key in declared]
        read = {stands(key) for key in file.read_text().split()} - free
        missing = {
            key for key in read if not any(key == d or key.startswith(f"{d}.") for d in declared)
        }
        assert not missing, f"{stage} reads but does not declare"


def test_nothing_to_do_runs_nothing(project):
    assert project.stages_run(project.run("dvc", "repro").stdout) == {"watch"}


def test_an_experiment_of_the_fusion_runs_evaluate_and_report_only(project):
    """And sees the stored features in the folder apart where DVC runs it, as what was queued."""
    done = project.run("dvc", "exp", "run", "--temp", "-S", "fusion.max_encoders=1", PYTHONPATH=".")
    assert project.stages_run(done.stdout) == {
        "watch",
        *(f"evaluate@{name}" for name in KEPT["tasks"]),
        "report",
    }
    table = json.loads(project.run("dvc", "exp", "show", "--json").stdout)
    (made,) = [run["revs"][0] for base in table for run in base.get("experiments") or []]
    assert made["data"]["params"]["params.yaml"]["data"]["fusion"]["max_encoders"] == 1
    diff = project.run("dvc", "metrics", "diff", "HEAD", made["rev"][:7]).stdout
    assert "results/metrics/specialists" in diff
    assert max(map(len, diff.splitlines())) <= 100
    metrics = json.loads(project.run("git", "show", f"{made['rev']}:metrics.json").stdout)
    assert 0 < metrics["energy.run_kwh"] < metrics["energy.kwh"]


def test_analyses_run_apart_and_leave_the_main_job_up_to_date(project):
    ran = project.stages_run(project.run("dvc", "repro", "analyses/dvc.yaml").stdout)
    assert {name.removeprefix("analyses/dvc.yaml:") for name in ran - {"watch"}} == {
        *(f"analyse@{name}" for name in KEPT["tasks"]),
        "report",
    }
    tracked = project.run("git", "status", "--porcelain").stdout.split()
    assert "analyses/plots/" in tracked and not any("results" in name for name in tracked)
    assert project.stages_run(project.run("dvc", "repro").stdout) == {"watch"}


def test_two_workers_make_the_same_bytes(project, tmp_path):
    """``eosfm repro`` in a fresh clone, side by side, makes again what ``dvc repro`` made."""
    ours = copy_project(tmp_path / "ours")
    out = ours.run("eosfm", "repro", "--workers", "2", "features@eurosat").stdout
    later = ("evaluate", "baseline", "report")
    made = {name for name in ALL if not name.startswith(later) and "xview2" not in name}
    count = len(made - {"watch"})
    assert f"[{count}/{count}]" in out and "train levircdplus: f1" in out
    first, second = project.lock(), ours.lock()
    assert set(map(bare, second)) == made
    for name, entry in second.items():
        for before, after in zip(first[name]["outs"], entry["outs"], strict=True):
            # Results and the card tell the energy that was spent, which differs.
            if not before["path"].startswith(("results/", "models/eosfm.md")):
                assert before["md5"] == after["md5"], before["path"]
    records = [json.loads(file.read_text()) for file in ours.path.rglob("energy.json")]
    assert len(records) == count and len({record["run"] for record in records}) == 1
    again = ours.run("dvc", "repro", "features@eurosat").stdout
    assert ours.stages_run(again) == {"watch"}


def test_a_misspelt_key_stops_the_run_before_any_work(project):
    done = project.run("dvc", "exp", "run", "-S", "+fusion.max_encoder=5", check=False)
    assert done.returncode != 0
    assert "unknown key fusion.max_encoder; did you mean 'max_encoders'?" in done.stdout
    assert "Traceback" not in done.stdout
    project.run("git", "checkout", "-q", ".")
    project.run("dvc", "checkout", "-q", "dvc.yaml")


def test_a_key_of_the_defaults_is_set_with_a_plus(project):
    done = project.run("dvc", "exp", "run", "-S", "specialists.eurosat_rgb.lr=1", check=False)
    assert done.returncode != 0
    assert "use +specialists.eurosat_rgb.lr=1" in done.stdout
