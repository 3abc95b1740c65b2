"""Touch a line of code, and `dvc status` names the stages that run it."""

import contextlib
import json
from collections.abc import Iterator

import pytest
from dvc.repo import Repo

from eosfm.core.closure import FREE

from .conftest import ROOT, Project, bare, quiet_project
from .test_closure import runs, stages

ALWAYS = {"watch"}
EXAMPLES = (
    "eosfm/datasets/eurosat.py",
    "eosfm/evaluation/knn.py",
    "eosfm/fusion/fuser.py",
    "eosfm/report/tables.py",
    "eosfm/simulation/landscape.py",
    "stages/features.py",
)
"""Files of rooms and scripts; that every stage has its own among its deps, test_closure.py sees."""


@pytest.fixture(scope="module")
def quiet(warm, tmp_path_factory) -> Project:
    return quiet_project(tmp_path_factory.mktemp("quiet") / "project")


def named(project: Project) -> set[str]:
    """What `dvc status` names, but for what always runs; asked without a new process."""
    with contextlib.chdir(project.path), Repo(".") as repo:
        return {bare(name) for name in repo.status()} - ALWAYS


def stages_running(project: Project, file: str) -> set[str]:
    """The stages of a project that run a file."""
    return {
        bare(name.removeprefix("dvc.yaml:"))
        for name, entry, reader in stages(project.params())
        if ROOT / file in runs(entry, reader)
    }


@contextlib.contextmanager
def touched(project: Project, *files: str) -> Iterator[None]:
    """While these files have a line more."""
    before = {project.path / file: (project.path / file).read_text() for file in files}
    for path, text in before.items():
        path.write_text(text + "\n# touched\n")
    try:
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


@pytest.mark.parametrize("file", EXAMPLES)
def test_status_names_the_stages_that_run_a_file(quiet, file):
    with touched(quiet, file):
        found = named(quiet)
    assert stages_running(quiet, file) <= found
    if file.startswith("eosfm/report/"):
        assert found == {"report", "analyses/dvc.yaml:report"}
    if file == "eosfm/datasets/eurosat.py":
        assert found == {"download@eurosat", "tile@eurosat", "export"}
    if file.startswith(("eosfm/fusion/", "eosfm/evaluation/")):
        assert not {name for name in found if name.startswith(("train", "tile", "export"))}


def test_what_decides_no_result_is_free(quiet):
    """But for a table of the simulation, which lies below a dep."""
    with touched(quiet, *FREE - {"eosfm/simulation/recipes/__init__.py"}):
        # The card of the ensemble, which export writes, tells of licences: the datasets' table.
        assert named(quiet) == {"export"}


def test_nothing_touched_names_nothing(quiet):
    assert named(quiet) == set()
    said = quiet.run("dvc", "status", "--json").stdout.splitlines()[-1]
    assert json.loads(said) == {"data/watch/dvc.yaml:watch": ["always changed"]}


def test_one_specialists_epochs_retrain_that_one_alone(quiet):
    """And all that is made of the ensemble again, whatever its stages do."""
    quiet.set_params(specialists__eurosat_rgb__epochs=1)
    try:
        ran = quiet.stages_run(quiet.run("dvc", "repro").stdout)
    finally:
        quiet.run("git", "checkout", "-q", ".")
        quiet.run("dvc", "checkout", "-q", "dvc.yaml")
    assert {name for name in ran if name.startswith(("download", "tile", "train"))} == {
        "train@eurosat_rgb"
    }
    assert {"export", "features@eurosat", "evaluate@xview2", "report"} <= ran
    assert named(quiet) == set()


def test_a_result_that_is_gone_is_named(quiet):
    path = quiet.path / "models/specialists/levircdplus.pt"
    kept = path.read_bytes()
    path.unlink()
    try:
        assert "train@levircdplus" in named(quiet)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("datasets__eurosat__tile", 32, {"tile@eurosat"}),
        ("datasets__xview2__simulated__size", 64, {"download@xview2"}),
        ("specialists__levircdplus__epochs", 1, {"train@levircdplus"}),
        ("specialists__levircdplus__train", {"epochs": 40}, {"train@levircdplus"}),
        ("defaults__specialists__lr", 0.5, {"train@levircdplus", "train@eurosat_rgb"}),
        ("ensemble", ["eurosat_rgb"], {"export"}),
        ("tasks__eurosat__head", "knn", {"evaluate@eurosat", "baseline@eurosat"}),
        ("fusion__max_encoders", 5, {"evaluate@eurosat", "evaluate@xview2"}),
        ("energy__country", "DEU", set()),
        ("archives", "/elsewhere", set()),
    ],
)
def test_status_names_the_stages_that_read_a_parameter(quiet, key, value, stages):
    path = quiet.path / "params.yaml"
    before = path.read_text()
    quiet.set_params(**{key: value})
    try:
        found = {name for name in named(quiet) if "report" not in name and "analyse" not in name}
    finally:
        path.write_text(before)
    assert found == stages
