"""How the commands understand the name of a task."""

from pathlib import Path

import pytest

from eosfm.commands.fitted import task_file
from eosfm.core.closure import ROOT
from eosfm.core.errors import EosfmError


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "scene.tif", "-o", "map.tif", "--task"),
        ("bundle", "-o", "flood.pt"),
        ("onnx", "-o", "flood.onnx", "--task"),
        ("score", "--task"),
    ],
)
def test_a_misspelt_task_is_told_the_nearest(call, monkeypatch, words):
    monkeypatch.chdir(ROOT)
    status, out, err = call(*words, "sen1flods11")
    assert (status, out) == (1, "")
    assert "did you mean 'sen1floods11'? valid: " in err and "dvc repro" not in err


def test_a_task_is_a_name_or_a_file(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    own = Path("models/tasks/own.pt")
    own.parent.mkdir(parents=True)
    own.touch()
    assert task_file("own") == task_file("models/tasks/own.pt") == own
    with pytest.raises(EosfmError, match=r"^flood.pt not found; give another file, or the name"):
        task_file("flood.pt")


def test_a_task_that_was_not_evaluated_has_a_file_to_be(monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(EosfmError, match="did you mean 'oscd'"):
        task_file("models/tasks/oscdd.pt")
    assert task_file("oscd") == Path("models/tasks/oscd.pt")
