"""Options that do not go together are refused, and so is a folder that is not the project's."""

from pathlib import Path

import pytest

import eosfm.cli

ROOT = Path(eosfm.cli.__file__).parents[1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("score", "potsdam", "--split", "test"), "--split is for --task; a specialist is scored"),
        (("score", "potsdam", "--device", "cuda", "--window", 64), "--window, --device is for"),
        (("plan", "--write", "page.md", "--json"), "--write makes a page, and --json"),
        (("onnx", "x.pth", "--artifact", "y.pth", "-o", "z.onnx"), "--artifact is for --task; a"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(call, monkeypatch, words, line):
    monkeypatch.chdir(ROOT)
    status, out, err = call(*words)
    assert (status, out) == (1, "")
    assert err.startswith("error: ") and line in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("use", "--built"), "has no dvc.yaml; run in"),
        (("readme", "--check"), "metrics.json not found; run `dvc repro`"),
    ],
)
def test_outside_the_project_a_command_says_so(call, monkeypatch, tmp_path, words, line):
    monkeypatch.chdir(tmp_path)
    status, _, err = call(*words)
    assert status == 1
    assert err.startswith("error: ") and line in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["merge", "prune"])
def test_no_artifact_is_written_over_a_folder(call, artifact_file, tmp_path, command):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "mine").touch()
    both = [artifact_file, artifact_file, "--prefix", "a_", "b_"]
    words = {"merge": both, "prune": [artifact_file, "--keep", "rgb"]}[command]
    status, _, err = call(command, *words, "-o", folder)
    assert status == 1 and "models is a folder; expected the name of a file" in err
    assert list(folder.iterdir()) == [folder / "mine"]
