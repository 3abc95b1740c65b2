"""What ``eosfm repro`` finds and leaves in the project's folder."""

import os
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from eosfm.cluster import home, run
from eosfm.cluster.run import _folder
from eosfm.cluster.schedule import Schedule, Stage, make_schedule
from eosfm.cluster.snapshot import unpack
from eosfm.cluster.stage import Done, _why
from eosfm.core.errors import EosfmError


def test_a_killed_runs_folder_goes_and_no_other_machines(tmp_path):
    node, gone = os.uname().nodename, 2**22 + 1  # above the largest number of a process
    killed = tmp_path / f"{node}-{gone}-17"
    others = [tmp_path / name for name in (f"{node}-2-{gone}-17", f"{node}-{os.getpid()}-17", "x")]
    for folder in (killed, *others):
        folder.mkdir()
    with _folder(tmp_path / f"{node}-{os.getpid()}-18") as own:
        assert own.is_dir() and not killed.exists()
        assert all(other.is_dir() for other in others)
    assert not own.exists()


def test_a_killed_runs_folder_that_another_run_removes_is_no_error(tmp_path, monkeypatch):
    killed = tmp_path / f"{os.uname().nodename}-{2**22 + 1}-17"
    killed.mkdir()
    (killed / "file").touch()

    def gone(name, **_):
        raise FileNotFoundError(2, "No such file or directory", name)

    monkeypatch.setattr(os, "unlink", gone)
    with _folder(tmp_path / f"{os.uname().nodename}-{os.getpid()}-18") as own:
        assert own.is_dir()


def test_home_runs_what_it_alone_can_and_leaves_what_changed_meanwhile(project, monkeypatch):
    monkeypatch.chdir(project.path)
    project.run("dvc", "repro")
    with home.open_repo() as repo:
        schedule = make_schedule(repo, [])
    project.edit("params.yaml", "word: one", "word: two")
    project.edit("dvc.yaml", "wc joined", "wc -c joined")
    assert home.finish(schedule) == ["report"]
    assert (project.path / "joined").read_text().count("one") == 2


def test_workers_get_the_files_that_the_run_started_with(project, monkeypatch):
    monkeypatch.chdir(project.path)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # with another shell for stages
    given = []

    class Starting:
        def scheduler_info(self, n_workers):
            return {"workers": {}}

        def run(self, work, *_):
            return {}

        def register_plugin(self, plugin, name):
            given.append(plugin.settings.packed)
            raise EosfmError("enough")

    @contextmanager
    def edited_meanwhile(count):
        project.edit("params.yaml", "word: one", "word: two")
        yield Starting()

    monkeypatch.setattr(run, "local_workers", edited_meanwhile)
    with pytest.raises(EosfmError, match="enough"):
        run.repro([], workers=1)
    unpack(given[0], project.path / ".cache/clone")
    assert "word: one" in (project.path / ".cache/clone/params.yaml").read_text()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("train a: epoch 3/9\nerror: a.tif is damaged\n", "error: a.tif is damaged"),
        ("train a: epoch 3/9\n", "exited with 137; its last line: train a: epoch 3/9"),
        ("", "exited with 137"),
    ],
)
def test_why_a_stage_failed(tmp_path, said, told):
    (tmp_path / "log").write_text(said)
    assert _why(tmp_path / "log", RuntimeError("exited with 137")) == told


def test_workers_and_a_scheduler_are_not_both_taken():
    with pytest.raises(EosfmError, match="--workers is 2, and the cluster at --scheduler tcp://1"):
        run.repro([], workers=2, scheduler="tcp://1")


class Vanishing:
    """A client whose cluster runs the first stage, and is gone then.

    Args:
        end: How the second stage's future ends.
    """

    def __init__(self, end):
        self.submitted, self.end = [], end

    def register_plugin(self, plugin, name):
        pass

    def run(self, work, on_error="raise"):
        raise OSError("no route to host")

    def unregister_worker_plugin(self, name):
        raise OSError("no route to host")

    def submit(self, work, stage, *_, key, **__):
        self.submitted.append(stage.name)
        if len(self.submitted) > 1:
            return self.end(key)
        done = Done({"outs": []}, "made", "", 1.0)
        return SimpleNamespace(key=key, status="finished", result=lambda: done)


def stop(key):
    raise KeyboardInterrupt


def cancel(key):
    return SimpleNamespace(key=key, status="cancelled")


class Queue(list):
    add = list.append


@pytest.mark.parametrize(
    ("end", "error", "told"),
    [
        (stop, KeyboardInterrupt, "^$"),
        (cancel, EosfmError, "failed: fit: the Dask scheduler is gone; start it, and run again"),
    ],
)
def test_what_is_done_is_brought_home_where_the_workers_are_gone(
    monkeypatch, capsys, end, error, told
):
    stages = {name: Stage(name, "dvc.yaml", name) for name in ("raw", "fit")}
    schedule = Schedule(stages, {"raw": (), "fit": ("raw",)}, frozenset(stages), frozenset())
    brought = []
    monkeypatch.setattr(run, "_settings", lambda *_: SimpleNamespace(apart=False, workers=["a"]))
    monkeypatch.setattr(home, "take_in", lambda schedule, entries, remote: brought.extend(entries))
    monkeypatch.setattr("distributed.as_completed", Queue)
    with pytest.raises(error, match=told):
        run._run_all(None, schedule, Vanishing(end), b"")
    assert brought == ["raw"]
    warned = capsys.readouterr().err.splitlines()
    assert set(warned) == {
        "warning: not all workers end as they should (OSError: no route to host)"
    }
    assert len(warned) == (2 if end is stop else 1)


def test_what_dvc_cannot_read_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(EosfmError, match=r"^DVC: .*not a git repository"), home.open_repo():
        pass
