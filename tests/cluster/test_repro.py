"""``eosfm repro`` on a small pipeline: what ``dvc repro`` makes, whatever happens on the way."""

import contextlib
import errno
import re
import signal
import time
from pathlib import Path

import psutil
import pytest
import yaml
from distributed.comm import CommClosedError

from eosfm.cluster import workers
from eosfm.cluster.run import ATTEMPTS, _insist
from eosfm.core.errors import EosfmError

from .conftest import PATIENCE

LOCKS = ("dvc.lock", "data/dvc.lock")
ALL = {"raw a", "raw b", "fit a", "fit b"}
FORK = "-m eosfm.cluster.warm"
"""In the command line of the run itself, which the command of tests/fixtures/warm.py waits for."""


def command(process: psutil.Process) -> str:
    """Its command line; none where it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="module")
def plain(copy, tmp_path_factory):
    """What ``dvc repro`` makes."""
    project = copy(tmp_path_factory.mktemp("plain") / "project")
    project.run("dvc", "repro")
    return project.made()


def test_the_results_and_locks_are_those_of_dvc_repro(project, plain):
    out = project.repro(workers=2)
    assert project.ran() == ALL
    assert project.made() == plain
    assert "[5/5]" in out and "| fit@a: fit a ends" in out
    # the user's own paths are those of the user's folder
    paths = " ".join((project.path / ".cache/paths").read_text().split())
    assert f"archives: {project.path}/data/archives " in paths
    assert f"root: {project.path}/../mine" in paths
    assert f"root: {Path.home()}/theirs" in paths
    folder = project.path / ".cache/repro"
    assert (folder / "logs/fit@b.log").read_text() == "fit b starts\nfit b ends\n"
    assert sorted(path.name for path in folder.iterdir()) == ["dask", "logs"]
    again = project.run("dvc", "repro")
    assert again.count("Running stage") == 1 and "Running stage 'data/dvc.yaml:watch'" in again
    assert project.ran() == set()
    assert project.run("git", "status", "--short").split() == [
        *("??", "data/dvc.lock"), *("??", "dvc.lock"), *("??", "report.txt"),
    ]  # fmt: skip
    # code that makes the same as before: what follows it rests
    project.edit("data/dvc.yaml", "raw ${key}\n", "raw ${key} and more\n")
    out = project.repro()
    assert project.ran() == {"raw a", "raw b"}
    assert "fit@a: unchanged" in out and "join: unchanged" in out
    # an uncommitted change, of which only some stages know
    project.edit("params.yaml", "word: one", "word: two")
    out = project.repro("fit@a")
    assert project.ran() == {"fit a"}
    assert re.fullmatch(r"done in [0-9:]+", out.splitlines()[-1])  # no "nothing" after work
    assert "two" in (project.path / "models/a").read_text()
    # what was made before is taken from the cache
    project.edit("params.yaml", "word: two", "word: one")
    project.repro()
    assert project.ran() == set()
    assert project.made()["models/a"] == plain["models/a"]


def test_a_failed_stage_stops_only_what_depends_on_it(project, plain):
    project.edit("stages.sh", "fit) ", 'fit) [ "$2" = b ] || { echo no luck >&2; exit 3; }; ')
    out = project.repro(code=1)
    assert "fit a starts\nno luck\n" in out
    told = "failed to run: sh stages.sh fit a, exited with 3; its last line: no luck"
    assert out.splitlines()[-1] == f"error: failed: fit@a: {told}; not run: join"
    assert (project.path / "models/b").exists() and not (project.path / "models/a").exists()
    assert project.ran() == ALL
    project.edit("stages.sh", 'fit) [ "$2" = b ] || { echo no luck >&2; exit 3; }; ', "fit) ")
    project.repro()
    assert project.made()["joined"] == plain["joined"]
    assert [yaml.safe_load(plain[name]) for name in LOCKS] == project.locks()


def test_the_stage_of_a_killed_worker_runs_again_elsewhere(project):
    project.hang("fit-a")
    process = project.start("eosfm", "repro", "--workers", "2")
    project.wait_for("hung")
    (hanging,) = [p for p in project.processes() if command(p).startswith("sleep ")]
    worker = next(p for p in hanging.parents() if "multiprocessing" in command(p))
    worker.kill()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out
    hanging.wait(PATIENCE)
    assert (project.path / ".cache/ran").read_text().count("fit a ") == 2
    again = project.run("dvc", "repro")
    assert again.count("Running stage") == 1
    project.wait_for_silence()


def test_a_worker_that_is_killed_as_it_starts_is_started_again(project, plain):
    process = project.start("eosfm", "repro", "--workers", "1")
    while not (found := [p for p in project.processes() if "spawn_main" in command(p)]):
        assert process.poll() is None
        time.sleep(0.01)
    found[0].kill()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out
    assert project.made() == plain and project.ran() == ALL


def test_workers_that_never_start_are_one_line(monkeypatch):
    def refuse(**_):
        raise RuntimeError("Nanny failed to start.") from MemoryError("no room")

    monkeypatch.setattr("distributed.SpecCluster", refuse)
    with pytest.raises(EosfmError, match=r"no worker process started in 3 attempts \(no room\)"):
        workers.local_workers(1).__enter__()


def test_workers_are_asked_again_where_one_is_killed_meanwhile():
    answers = iter([CommClosedError("gone"), {"tcp://1": True}])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert _insist(ask) == {"tcp://1": True}
    answers = iter([CommClosedError("gone")] * ATTEMPTS)
    with pytest.raises(EosfmError, match=r"killed in 3 attempts to reach them: gone"):
        _insist(ask)
    answers = iter([OSError(errno.ENOSPC, "No space left on device")])
    with pytest.raises(OSError, match="No space left"):  # on a full disk none is killed
        _insist(ask)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_leaves_nothing_running_and_keeps_what_is_done(project, kind):
    project.hang("fit-a")
    process = project.start("eosfm", "repro", "--workers", "2")
    project.wait_for("hung")
    for other in project.processes():  # as Ctrl-C reaches all of the terminal
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has just gone
            if kind == signal.SIGINT or FORK in command(other):
                other.send_signal(kind)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert "Traceback" not in out, out
    assert ("interrupted: stages that ended are kept" in out) == (kind == signal.SIGINT)
    project.wait_for_silence()
    project.ran()
    if kind != signal.SIGKILL:
        assert project.run("dvc", "status", "data/dvc.yaml:raw@a").count("changed") == 0
    project.repro()
    ran = project.ran()
    assert "fit a" in ran and "raw a" not in ran


def test_a_run_stopped_while_it_looks_at_the_data_is_no_error(project):
    project.edit("data/dvc.yaml", "echo ran >> .cache/watched", "touch .cache/hung && sleep 7777")
    process = project.start("eosfm", "repro", "--workers", "1")
    project.wait_for("hung")
    for other in project.processes():  # as Ctrl-C reaches all of the terminal
        with contextlib.suppress(psutil.NoSuchProcess):
            other.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out.splitlines()[-1].startswith("interrupted: ") and "error" not in out, out
    project.wait_for_silence()


def test_a_second_run_is_told_of_the_first_which_ends_when_it_is_terminated(project):
    project.hang("fit-a")
    process = project.start("eosfm", "repro", "--workers", "1")
    project.wait_for("hung")
    before = (project.path / "params.yaml").read_bytes()
    out = project.repro("-S", "word=two", code=1)
    assert out.startswith("error: ") or "\nerror: another run makes the same" in out
    assert (project.path / "params.yaml").read_bytes() == before
    process.terminate()
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM and "Traceback" not in out
    project.wait_for_silence()
    assert project.run("dvc", "status", "data/dvc.yaml:raw@a").count("changed") == 0


def test_what_is_no_stage_is_named(project):
    out = project.repro("fit@c", code=1)
    assert "fit@c" in out and "Traceback" not in out


def test_outside_a_project_the_remedy_is_said(project):
    (project.path / "dvc.yaml").unlink()
    assert "run in the project" in project.repro(code=1)
