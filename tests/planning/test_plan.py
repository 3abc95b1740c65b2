"""The whole plan: its numbers, its tables, what is done."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from eosfm.commands.plan import plan
from eosfm.core.errors import EosfmError
from eosfm.params import Params
from eosfm.planning.document import BEGIN, END, write_plan
from eosfm.planning.hardware import find_gpu, kwh
from eosfm.planning.plan import at_scale, make_plan
from eosfm.planning.show import show_plan
from eosfm.planning.status import stages_to_run
from eosfm.planning.stores import planned_store
from eosfm.planning.tables import item_rows, stage_rows
from eosfm.planning.work import Load, Work
from tests.fixtures.tasks import ROOT

KEPT = {"datasets": ("oscd", "eurosat"), "specialists": ("oscd",), "tasks": ("eurosat",)}


@pytest.fixture(scope="module")
def few(real) -> Params:
    """The project's params with two datasets, one specialist and one task."""
    given = real.model_dump(exclude_unset=True) | {"ensemble": ("oscd",)}
    for section, names in KEPT.items():
        given[section] = {name: given[section][name] for name in names}
    return Params.model_validate(given)


@pytest.fixture(scope="module")
def full(few):
    return make_plan(at_scale(few, "full"), find_gpu("h100"))


def test_numbers_are_the_sums_of_the_items(full):
    plain = json.loads(json.dumps(full.as_dict()))
    keys = ("images", "encoder_calls", "archives_gb", "tiles_gb", "features_gb", "gpu_hours", "kwh")
    for key in keys:
        assert plain[key] == pytest.approx(sum(i[key] for i in plain["items"].values()), rel=0.01)
    peaks = [item["peak_memory_gb"] for item in plain["items"].values()]
    assert plain["peak_memory_gb"] == max(peaks)
    assert plain["archives_gb"] == 2.6  # 2.1 of EuroSAT and 0.5 of OSCD
    assert set(plain["items"]) == {
        "download@oscd", "download@eurosat", "tile@oscd", "tile@eurosat", "start",
        "train@oscd", "export",
        "features@eurosat", "evaluate@eurosat", "baseline@eurosat", "report",
    }  # fmt: skip


def test_the_page_of_the_full_scale_has_the_numbers_of_the_plan(tmp_path):
    for name in ("params.yaml", "docs/full-scale.md"):
        (tmp_path / Path(name).name).write_text((ROOT / name).read_text())
    # Of its own, as a user runs it: what trainings leave set in a process changes what is counted.
    words = ("plan", "--scale", "full", "--write", "full-scale.md")
    program = "from eosfm.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, check=True, timeout=300)
    same = (tmp_path / "full-scale.md").read_text() == (ROOT / "docs/full-scale.md").read_text()
    assert same, "params.yaml has changed: run `eosfm plan --scale full --write docs/full-scale.md`"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A folder with the few items' params.yaml, in which commands run."""
    given = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"ensemble": ["oscd"]}
    for section, names in KEPT.items():
        given[section] = {name: given[section][name] for name in names}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(given))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_prints_it(full, project, capsys):
    plan(scale="full", as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(full.as_dict()))
    plan(scale="full", items=True)
    shown = capsys.readouterr().out
    assert "eurosat" in shown and "oscd" in shown


def test_names_numbers_and_commands_are_shown_whole(real, capsys):
    planned = make_plan(at_scale(real, "full"), find_gpu("h100"))
    show_plan(planned, items=True)
    shown = capsys.readouterr().out
    for row in item_rows(planned):
        assert all(cell in shown for cell in row)
    assert all(what in shown for what in planned.requests.values())


def test_simulated_data_is_not_downloaded(few):
    assert make_plan(few, find_gpu("cpu")).work().archives_gb == 0


def test_a_copy_that_the_user_has_is_not_downloaded(few):
    given = few.model_dump(exclude_unset=True)
    given["datasets"]["oscd"]["root"] = "/data/oscd"
    with_root = at_scale(Params.model_validate(given), "full")
    assert make_plan(with_root, find_gpu("h100")).work().archives_gb == 2.1


def test_what_is_done_is_shown_and_not_counted(few):
    planned = make_plan(few, find_gpu("cpu"), frozenset({"tile@oscd", "report"}))
    assert [step.item for step in planned.ahead("tile")] == ["oscd"]
    assert planned.work().encoder_calls == 0
    rows = {row[0]: row for row in stage_rows(planned)}
    assert rows["tile"][1] == "1 of 2"
    assert rows["train"][1] == "0 of 1"
    assert {row[-1] for row in item_rows(planned) if row[0] == "train"} == {"done"}


def test_twice_the_speed_takes_half_the_hours_and_the_energy():
    gpu = find_gpu("a100")
    faster = find_gpu("a100", 2 * gpu.images_per_second)
    work = Work(loads=(Load(1e18, 1e18), Load(1e18)))
    assert work.hours(faster, 5e8) == pytest.approx(work.hours(gpu, 5e8) / 2)
    assert kwh(gpu, 2.0) == pytest.approx(2 * kwh(gpu, 1.0))


@pytest.mark.parametrize(
    ("name", "speed", "line"),
    [
        ("h10", None, "knows no GPU 'h10'; did you mean 'h100'"),
        ("h100", -1.0, "images-per-second is -1; expected a number above 0"),
    ],
)
def test_hardware_that_is_not_known_is_refused(name, speed, line):
    with pytest.raises(EosfmError, match=line):
        find_gpu(name, speed)


def test_an_unknown_scale_is_refused(few):
    with pytest.raises(EosfmError, match="no scale 'ful'; did you mean 'full'"):
        at_scale(few, "ful")


def test_another_scale_leaves_a_specialists_training_to_it(few):
    assert at_scale(few, "full").specialist("oscd").train.given == {"recipe": "ours", "lr": 2e-3}


def test_requests_name_datasets_that_a_person_must_fetch(real, few):
    given = few.model_dump(exclude_unset=True)
    given["datasets"]["potsdam"] = real.model_dump(exclude_unset=True)["datasets"]["potsdam"]
    params = at_scale(Params.model_validate(given), "full")
    assert list(make_plan(params, find_gpu("h100")).requests) == ["potsdam"]


def test_a_document_keeps_what_stands_around_its_marks(full, few, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    stores = [planned_store(at_scale(few, "full"), "oscd")]
    write_plan(path, full, stores)
    once = path.read_text()
    assert once.startswith("before\n") and once.endswith("\nafter\n") and "old" not in once
    assert "| oscd | 0.5 | by program |" in once
    write_plan(path, full, stores)
    assert path.read_text() == once


def test_a_document_without_marks_is_refused(full, tmp_path):
    path = tmp_path / "page.md"
    path.write_text("nothing")
    with pytest.raises(EosfmError, match=r"lacks .*put both marks in"):
        write_plan(path, full, [])
    with pytest.raises(EosfmError, match="is no file"):
        write_plan(tmp_path / "none.md", full, [])


DVC_YAML = """
stages:
  look: {cmd: cp s t, always_changed: true, outs: [t]}
  first: {cmd: cp a b, deps: [a, t], outs: [b]}
  second: {cmd: cp b c, deps: [b], outs: [c]}
  other: {cmd: cp d e, deps: [d], outs: [e]}
"""


def test_a_setting_is_tried_and_the_file_stays(project, capsys):
    before = (project / "params.yaml").read_bytes()

    def hours(*settings: str) -> float:
        plan(scale="full", set_param=list(settings), as_json=True)
        return json.loads(capsys.readouterr().out)["gpu_hours"]

    short = hours("specialists.oscd.epochs=1")
    assert 0 < short < hours()
    with pytest.raises(EosfmError, match=r"-S .*params.yaml has no such key \(decoder\)"):
        hours("scales.full.protocol.decoder=1")
    assert (project / "params.yaml").read_bytes() == before


def test_what_follows_a_changed_stage_would_run_too(tmp_path):
    assert stages_to_run(tmp_path) is None
    dvc = [sys.executable, "-m", "dvc"]
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    for name in "ads":
        (tmp_path / name).write_text(name)
    for words in (["init", "-q", "--no-scm"], ["repro", "-q"]):
        subprocess.run([*dvc, *words], cwd=tmp_path, check=True)
    assert stages_to_run(tmp_path) == frozenset()
    (tmp_path / "a").write_text("other")
    assert stages_to_run(tmp_path) == {"first", "second"}
    frozen = DVC_YAML.replace("second: {", "second: {frozen: true, ")
    (tmp_path / "dvc.yaml").write_text(frozen)
    assert stages_to_run(tmp_path) == {"first"}


@pytest.mark.parametrize("damaged", ["", "dvc.lock", "data/watch/dvc.lock"])
def test_what_dvc_cannot_read_is_one_line(tmp_path, damaged, monkeypatch):
    for folder in (tmp_path, (tmp_path / damaged).parent):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dvc.yaml").write_text("stages: {fit: {cmd: 'true'}}\n")
    if not damaged:
        (tmp_path / ".dvc").mkdir()
        (tmp_path / ".dvc" / "config").touch()
    else:
        Repo.init(str(tmp_path), no_scm=True).close()
        (tmp_path / damaged).write_text("<<<<<<< HEAD\nschema: '2.0'\n=======\n")
    monkeypatch.chdir(tmp_path)
    told = f"^{damaged} holds marks of a merge; take either side" if damaged else "^DVC: "
    with pytest.raises(EosfmError, match=told):
        stages_to_run(tmp_path)


def test_another_dvc_at_work_is_one_line(tmp_path):
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    refused = pytest.raises(EosfmError, match="DVC is at work in this project")
    with Repo.init(str(tmp_path), no_scm=True) as repo, repo.lock, refused:
        stages_to_run(tmp_path)
