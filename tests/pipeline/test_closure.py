"""Whatever decides a stage's result is below one of its deps."""

from pathlib import Path

import pytest
import yaml

from eosfm.core.closure import FREE, ROOT, closure
from eosfm.datasets import DATASETS
from eosfm.fusion import FUSIONS


def stages() -> list[tuple[str, dict, str]]:
    """Name, entry with its key filled in, and reader of every stage of both pipelines.

    But for those that run in any case, whatever has changed.
    """
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    found = []
    for pipeline in ("dvc.yaml", "analyses/dvc.yaml"):
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
    return closure(*starts)


@pytest.mark.parametrize(("entry", "reader"), [pytest.param(*s[1:], id=s[0]) for s in stages()])
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


@pytest.mark.parametrize("path", FUSIONS.values())
def test_what_is_named_as_text_lies_in_the_room_that_names_it(path):
    """Imports by name are not followed: the whole room is a dep of the stages that fuse."""
    file = ROOT.joinpath(*path.split(".")[:-1]).with_suffix(".py")
    assert file.is_file() and file.parent == ROOT / "eosfm" / "fusion"
