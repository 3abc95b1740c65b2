"""What may be wrong with stored features: refused when they are opened, with the stage to run."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from eosfm.features.encode import open_features
from tests.faults.lines import assert_says, line_of

LEVEL, MANIFEST = "val/level-1.npy", "features.json"


@dataclass(frozen=True)
class Case:
    """One way in which stored features are wrong.

    Attributes:
        name: What is broken.
        damage: What is done to the folder.
        line: What the error says.
    """

    name: str
    damage: Callable[[Path], object]
    line: str


def array(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / LEVEL, change(np.load(folder / LEVEL)))


def said(**values: object) -> Callable[[Path], None]:
    """Change the manifest; None takes a key out."""

    def change(folder: Path) -> None:
        facts = json.loads((folder / MANIFEST).read_text()) | values
        kept = {key: value for key, value in facts.items() if value is not None}
        (folder / MANIFEST).write_text(json.dumps(kept))

    return change


def flip(at: int, file: str = LEVEL) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[at] ^= 1
        (folder / file).write_bytes(content)

    return change


def cut(file: str, share: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: int(share * len(content))])

    return change


def objects(folder: Path) -> None:
    """An array that runs code when it is read, if anybody lets it."""
    np.save(folder / LEVEL, np.array([print], object), allow_pickle=True)


CASES = [
    Case("no manifest", lambda folder: (folder / MANIFEST).unlink(), r"features.json not found"),
    Case("empty manifest", cut(MANIFEST, 0), r"damaged or no JSON"),
    Case("manifest cut", cut(MANIFEST, 0.5), r"damaged or no JSON"),
    Case("manifest of bytes", flip(0, MANIFEST), r"features.json is"),
    Case("former format", said(format=3), r"is of format 3; expected \d"),
    Case("format of a word", said(format="new"), r"is of format 'new'; expected \d"),
    Case("no format", said(format=None), r"no manifest of features \(KeyError"),
    Case("no files", said(files=None), r"no manifest of features \(KeyError\('files'"),
    Case("files of another kind", said(files=[1]), r"no manifest of features \(AttributeError"),
    Case("file without a hash", said(files={LEVEL: {"shape": [1]}}), r"manifest .*\(TypeError"),
    Case("inputs of another kind", said(inputs=[{"who": 1}]), r"no manifest of features"),
    Case("file missing", lambda folder: (folder / LEVEL).unlink(), r"level-1.npy cannot be read"),
    Case("targets missing", lambda folder: (folder / "val/targets.npy").unlink(), r"targets.npy"),
    Case("file cut", cut(LEVEL, 0.5), r"level-1.npy cannot be read"),
    Case("file empty", cut(LEVEL, 0), r"level-1.npy cannot be read"),
    Case("header damaged", flip(1), r"level-1.npy cannot be read"),
    Case("one bit", flip(-1), r"level-1.npy has sha256 \w+; expected \w+"),
    Case("one bit of a target", flip(-1, "test/targets.npy"), r"targets.npy has sha256"),
    Case("one bit of a day", flip(-1, "train/days.npy"), r"days.npy has sha256"),
    Case("other values", array(lambda level: level + 1), r"has sha256"),
    Case("not a number", array(lambda level: level * np.float16(np.nan)), r"has sha256"),
    Case("other type", array(lambda level: level.astype(np.float32)), r"dtype float32; expected"),
    Case("fewer tiles", array(lambda level: level[1:]), r"has shape \[11, .*expected \[12"),
    Case("fewer channels", array(lambda level: level[:, :, 1:]), r"level-1.npy has shape"),
    Case("code", objects, r"level-1.npy cannot be read"),
    Case(
        "another level's file",
        lambda folder: shutil.copy(folder / "val/level-2.npy", folder / LEVEL),
        r"level-1.npy has shape",
    ),
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_stored_features(case, resolve, features, artifact, tmp_path, capsys):
    folder = Path(shutil.copytree(features["segmentation"], tmp_path / "segmentation"))
    case.damage(folder)
    line = line_of(capsys, lambda: open_features(resolve("segmentation"), folder, artifact))
    assert_says(line, case.line)
    assert_says(line, r"run `dvc repro -f features@segmentation`")


def test_other_windows_are_refused(resolve, features, artifact, capsys):
    task = resolve("segmentation", protocol={"window": 16})
    line = line_of(capsys, lambda: open_features(task, features["segmentation"], artifact))
    assert_says(line, r"has 16 items of 16 tiles; expected 4 of each; run `dvc repro -f features@")
