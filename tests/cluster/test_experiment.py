"""``eosfm repro -S``: what ``dvc exp run -S`` leaves, by workers."""

import json

import pytest

from eosfm.cluster import experiment
from eosfm.cluster.home import open_repo
from eosfm.cluster.run import repro
from eosfm.cluster.schedule import make_schedule
from eosfm.core.errors import EosfmError
from eosfm.planning.settings import settings


def test_it_leaves_what_an_experiment_of_dvc_leaves(project):
    out = project.repro("-S", "word=two", "-n", "second")
    assert project.ran() == {"raw a", "raw b", "fit a", "fit b"}
    assert out.rstrip().endswith("; experiment second")
    assert "word: two" in (project.path / "params.yaml").read_text()
    assert "# where they are" in (project.path / "params.yaml").read_text()
    assert (project.path / "joined").read_text().count("two") == 2
    again = project.run("dvc", "exp", "run", "-S", "word=two")  # finds all of it done
    assert project.ran() == set() and again.count("Running stage") == 1
    shown = json.loads(project.run("dvc", "exp", "show", "--json"))
    (kept,) = [one for one in shown[1]["experiments"] if one["name"] == "second"]
    assert kept["revs"][0]["data"]["params"]["params.yaml"]["data"]["word"] == "two"
    # the name is taken, which is said before anything is done
    out = project.repro("-n", "second", "-S", "word=three", code=1)
    assert "there is an experiment 'second' on this commit" in out
    assert "word: two" in (project.path / "params.yaml").read_text()


def test_an_experiment_of_stages_that_are_done_runs_no_others(project):
    project.repro("-S", "word=two", "fit@a")
    assert project.ran() == {"raw a", "fit a"}
    out = project.repro("-n", "kept", "fit@a")
    assert project.ran() == set()
    assert out.rstrip().endswith("; experiment kept")
    shown = json.loads(project.run("dvc", "exp", "show", "--json"))
    (kept,) = [one for one in shown[1]["experiments"] if one["name"] == "kept"]
    assert kept["revs"][0]["data"]["params"]["params.yaml"]["data"]["word"] == "two"


def test_what_changed_meanwhile_is_no_part_of_an_experiment(project, monkeypatch):
    monkeypatch.chdir(project.path)
    with open_repo() as repo:
        schedule, before = make_schedule(repo, []), experiment.files(repo)
    project.edit("stages.sh", "set -e", "set -eu")
    (project.path / "new.py").touch()
    (project.path / "joined").touch()  # of a stage: what a run makes is no change of the user's
    told = "^new.py, stages.sh changed while the run was under way, so it is no experiment"
    with pytest.raises(EosfmError, match=told):
        experiment.record(schedule, before, "")
    assert project.ran() == set()


@pytest.mark.parametrize("given", [{"name": "first"}, {"overrides": ["word=two"]}])
def test_without_a_commit_none_is_begun(project, monkeypatch, given):
    monkeypatch.chdir(project.path)
    project.run("git", "update-ref", "-d", "HEAD")
    with pytest.raises(EosfmError, match="belongs to a commit; run `git commit` first"):
        repro([], workers=1, **given)
    assert project.ran() == set()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("wrod=two", "has no such key .wrod.; did you mean 'word'"),
        ("word=one,two", "several values"),
        ("word", "-S word: expected KEY=VALUE$"),
        ("archives=/data/été", "expected KEY=VALUE; put quotes .*: -S \"KEY='VALUE'\""),
        ("word=${nothing}", "give a value"),
        ("word.length=3", "nothing is below it"),
        ("items:a.n=3", "-S items:a.n=3: there is no file items; expected KEY=VALUE"),
    ],
)
def test_what_cannot_be_set_leaves_the_file_alone(project, monkeypatch, override, told):
    monkeypatch.chdir(project.path)
    before = (project.path / "params.yaml").read_bytes()
    with pytest.raises(EosfmError, match=told), settings([override]):
        pytest.fail("the block ran")
    assert (project.path / "params.yaml").read_bytes() == before


def test_what_was_added_by_a_stopped_run_is_added_again(project, monkeypatch):
    monkeypatch.chdir(project.path)
    for value in (1, 2):
        with settings([f"+more={value}"]):
            pass
        assert (project.path / "params.yaml").read_text().count("more: ") == 1
    assert "more: 2" in (project.path / "params.yaml").read_text()


def test_what_the_first_stages_refuse_is_taken_back(project, monkeypatch):
    monkeypatch.chdir(project.path)
    before = (project.path / "params.yaml").read_bytes()
    with pytest.raises(EosfmError, match="no"), settings(["word=two", "+more=1"]):
        assert b"word: two" in (project.path / "params.yaml").read_bytes()
        raise EosfmError("no")
    assert (project.path / "params.yaml").read_bytes() == before
