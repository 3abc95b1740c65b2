"""What is run first, what is expected of it, and what of it is said."""

import json

import pytest

from eosfm.cluster.progress import Progress, clock
from eosfm.cluster.schedule import Schedule, Stage, expected_seconds

NEEDS = {"raw": (), "long": ("raw",), "short": ("raw",), "end": ("long",), "page": ("end",)}


def make(**changes):
    stages = {name: Stage(name, "dvc.yaml", name) for name in NEEDS}
    seconds = {"raw": 1, "long": 50, "short": 2, "end": 3, "page": 1}
    settings = {"changed": frozenset({"long"}), "at_home": frozenset({"page"})} | changes
    return Schedule(stages, NEEDS, seconds=seconds, **settings)


def test_what_follows_a_changed_stage_is_affected_but_for_what_home_runs():
    assert make().affected() == ["long", "end"]
    assert make(changed=frozenset({"raw"})).affected() == ["raw", "long", "short", "end"]
    assert make(changed=frozenset()).affected() == []


def test_the_longest_way_to_go_is_the_most_urgent():
    assert make().urgency() == {"raw": 55, "long": 54, "short": 2, "end": 4, "page": 1}


def test_a_stage_without_a_record_is_expected_to_take_as_long_as_its_kind(tmp_path):
    for kind, item, seconds in (("train", "a", 10), ("train", "b", 30), ("export", "", 4)):
        (tmp_path / kind / item).mkdir(parents=True)
        record = {"seconds": seconds}
        (tmp_path / kind / item / "energy.json").write_text(json.dumps(record))
    names = ["train@a", "train@b", "train@new", "export", "data/dvc.yaml:tile@a"]
    assert expected_seconds(names, tmp_path) == {
        "train@a": 10, "train@b": 30, "train@new": 20, "export": 4, "data/dvc.yaml:tile@a": 1,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "", "[]", '{"seconds": null}', '{"seconds": "soon"}'])
def test_a_record_of_no_use_is_none(tmp_path, text):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "energy.json").write_text(text)
    assert expected_seconds(["export"], tmp_path) == {"export": 1}


def test_in_a_fresh_clone_the_committed_report_tells(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "minutes.csv").write_text("stage,minutes\ntrain,2.0\ntile,0.5\n")
    names = ["train@a", "train@b", "data/dvc.yaml:tile@a", "export"]
    assert expected_seconds(names, tmp_path) == {
        "train@a": 60, "train@b": 60, "data/dvc.yaml:tile@a": 30, "export": 1,
    }  # fmt: skip


def test_a_report_with_marks_of_a_merge_tells_nothing(tmp_path):
    (tmp_path / "plots").mkdir()
    marks = "stage,minutes\n<<<<<<< HEAD\ntrain,2.0\n=======\ntrain,3.0\n>>>>>>> b\n"
    (tmp_path / "plots" / "minutes.csv").write_text(marks)
    assert expected_seconds(["train@a"], tmp_path) == {"train@a": 1}


def test_the_time_left_is_by_what_is_expected_not_by_count(monkeypatch, capsys):
    now = iter([0, 10, 20])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    progress = Progress(["a", "b", "c"], {"a": 10, "b": 30, "c": 60}, workers=1)
    progress.say("a", "made")
    progress.say("b", "unchanged")
    assert capsys.readouterr().out.splitlines() == [
        "[1/3] 0:10, 1:30 left | a: made",
        "[2/3] 0:20, 0:33 left | b: unchanged",
    ]


def test_a_slow_start_does_not_frighten(monkeypatch, capsys):
    now = iter([0, 8])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    Progress(["a", "b"], {"a": 1, "b": 99}, workers=2).say("a", "made")
    assert capsys.readouterr().out == "[1/2] 0:08, 2:53 left | a: made\n"


def test_a_duration_in_hours():
    assert clock(3725) == "1:02:05"
