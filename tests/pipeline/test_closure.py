"""Whatever decides a stage's result is below one of its deps."""

from pathlib import Path

import pytest
import yaml

from eosfm.core.closure import FREE, ROOT, closure


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


@pytest.mark.parametrize("table", ["datasets", "simulation/recipes"])
def test_what_a_table_imports_by_name_imports_none_of_its_kind(table):
    """Else a stage would run the file of another item, which is no dep of its own."""
    files = sorted((ROOT / "eosfm" / table).glob("*.py"))
    items = {file for file in files if file.stem not in ("__init__", "spec")}
    for file in items if table == "datasets" else ():
        assert not (set(closure(file)) & items) - {file}, file
