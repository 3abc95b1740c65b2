"""Whatever decides a stage's result is below one of its deps."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from eosfm.core.closure import FREE, ROOT, closure
from eosfm.datasets import DATASETS
from eosfm.fusion import FUSIONS

from .conftest import PIPELINES


def stages(params: dict) -> list[tuple[str, dict, str]]:
    """Name, entry with its key filled in, and reader of every stage of all pipelines.

    But for those that run in any case, whatever has changed.
    """
    found = []
    for pipeline in PIPELINES:
        for name, entry in yaml.safe_load((ROOT / pipeline).read_text())["stages"].items():
            if "foreach" not in entry:
                if not entry.get("always_changed"):
                    found.append((f"{pipeline}:{name}", entry, ""))
                continue
            for key, item in params[entry["foreach"].strip("${}")].items():
                text = yaml.safe_dump(entry["do"]).replace("${key}", key)
                for field, value in item.items():
                    text = text.replace(f"${{item.{field}}}", str(value))
                found.append(
                    (f"{pipeline}:{name}@{key}", yaml.safe_load(text), item.get("reader", ""))
                )
    return found


def runs(entry: dict, reader: str) -> list[Path]:
    """The project's files that a stage runs."""
    script = ROOT / entry["cmd"].split()[1]
    starts = [script]
    if "get_dataset" in script.read_text():  # the table imports the dataset's file by name
        starts.append(ROOT / "eosfm" / "datasets" / f"{reader}.py")
    if "get_recipe" in script.read_text():
        starts.append(ROOT / "eosfm" / "simulation" / "recipes" / f"{reader}.py")
    files = closure(*starts)
    if not reader and any("get_dataset(" in file.read_text() for file in files):
        files = closure(*starts, *(ROOT / "eosfm" / "datasets" / f"{name}.py" for name in DATASETS))
    return files


STAGES = stages(yaml.safe_load((ROOT / "params.yaml").read_text()))


@pytest.mark.parametrize(("entry", "reader"), [pytest.param(*s[1:], id=s[0]) for s in STAGES])
def test_whatever_a_stage_imports_is_below_its_deps_and_nothing_else(entry, reader):
    files, deps = runs(entry, reader), [ROOT / dep for dep in entry["deps"]]
    assert [file for file in files if not any(map(file.is_relative_to, deps))] == []
    code = [dep for dep in deps if dep.is_relative_to(ROOT / "eosfm")]
    assert [dep for dep in code if not any(file.is_relative_to(dep) for file in files)] == []


@pytest.mark.parametrize("free", sorted(FREE))
def test_what_is_left_out_exists(free):
    assert (ROOT / free).is_file()


def test_no_dataset_imports_another():
    """Else a stage would run the file of another dataset, which is no dep of its own."""
    files = {ROOT / "eosfm" / "datasets" / f"{name}.py" for name in DATASETS}
    for file in files:
        assert not (set(closure(file)) & files) - {file}, file


NAMED = [
    *FUSIONS.values(),
    *sorted(
        name
        for file in (ROOT / "eosfm" / "kinds").glob("*.py")
        for name in re.findall(r'named\("([\w.]+)"', file.read_text())
    ),
]


@pytest.mark.parametrize("path", NAMED)
def test_what_is_named_as_text_lies_in_a_room_that_stages_name(path):
    """Imports by name are not followed: who uses them has the whole room among its deps."""
    file = ROOT.joinpath(*path.split(".")[:-1]).with_suffix(".py")
    assert file.is_file() and file.parent.name in ("fusion", "heads")
    assert hasattr(importlib.import_module(path.rpartition(".")[0]), path.rpartition(".")[2])


@pytest.mark.parametrize("entry", [pytest.param(entry, id=name) for name, entry, _ in STAGES])
def test_who_uses_what_kinds_name_depends_on_it(entry):
    """Tiles and frozen features hold no head, loss or metric: touching one makes none of them."""
    files = closure(ROOT / entry["cmd"].split()[1])
    used = any(".build_head(" in file.read_text() for file in files)
    assert used == ("eosfm/heads" in [dep.removeprefix("../") for dep in entry["deps"]])


def test_every_named_thing_is_seen():
    text = "".join(file.read_text() for file in (ROOT / "eosfm").rglob("*.py"))
    dynamic = len(re.findall(r"\bnamed\((?!path)", text))
    assert dynamic == len(NAMED) - len(FUSIONS) + 1  # the table of fusions is one


def test_what_names_a_resumable_run_holds_what_is_named_as_text():
    files = closure(ROOT / "stages" / "train.py", named=True)
    assert ROOT / "eosfm" / "heads" / "losses.py" in files
    files = closure(ROOT / "stages" / "evaluate.py", named=True)
    assert ROOT / "eosfm" / "fusion" / "conv1x1.py" in files
