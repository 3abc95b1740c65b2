"""``eosfm repro --scheduler``: on workers that run already, on this machine or apart from it."""

import json
import sys
import time
from pathlib import Path

import pytest
from distributed import Client

from eosfm.cluster import workers
from eosfm.core.errors import EosfmError

from .conftest import PATIENCE

SCHEDULER, WORKER = (
    (sys.executable, "-m", f"distributed.cli.dask_{name}") for name in ("scheduler", "worker")
)
APART = Path(__file__).parent / "apart.py"


@pytest.fixture
def start(project, tmp_path):
    """Start a scheduler and workers with these words; gives the address."""
    processes = []
    file = tmp_path / "scheduler.json"

    def run(*machines: tuple[str, ...]) -> str:
        known = ("--no-dashboard", "--scheduler-file", str(file))
        here = ("--port", "0", "--host", "127.0.0.1")
        processes.append(project.start(*SCHEDULER, *known, *here))
        for words in machines:
            processes.append(project.start(*WORKER, *known, *words))
        end = time.monotonic() + PATIENCE
        while not (file.exists() and file.read_text()):  # it is written in place
            if time.monotonic() > end:
                pytest.fail("no scheduler")
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with Client(
            address, timeout=PATIENCE
        ) as client:  # `eosfm repro` waits for one, not as long
            client.wait_for_workers(len(machines), timeout=PATIENCE)
        return address

    yield run
    for process in processes:
        process.kill()  # Dask's own end waits for the others now and then
        process.communicate(timeout=PATIENCE)


def test_machines_that_share_no_disk_meet_in_the_remote(project, start, tmp_path):
    remote = tmp_path / "remote"
    project.run("dvc", "remote", "add", "--default", "storage", str(remote))
    plain = project.run("dvc", "repro", "data/dvc.yaml:raw@a")  # what is done is sent first
    assert "raw@a" in plain
    (project.path / ".cache" / "ran").unlink()
    own = ("--nthreads", "1", "--memory-limit", "0", "--preload", str(APART))
    machines = [tmp_path / name for name in ("one", "two")]
    address = start(*(("--local-directory", str(machine), *own) for machine in machines))
    project.run("eosfm", "repro", "--scheduler", address)
    assert (project.path / "joined").read_text().count("word: one") == 2
    assert not (project.path / ".cache" / "ran").exists()
    ran = [path.read_text() for path in tmp_path.glob("*/*/eosfm/scratch/ran")]
    lines = "".join(ran).splitlines()
    assert sorted(line.rpartition(" ")[0] for line in lines) == ["fit a", "fit b", "raw b"]
    assert project.run("dvc", "repro").count("Running stage") == 1
    assert list(tmp_path.glob("*/*/eosfm/*-*")) == [], "clones are left"


def test_a_worker_with_two_threads_is_refused(project, start):
    address = start(("--nthreads", "2", "--memory-limit", "0", "--no-nanny"))
    out = project.run("eosfm", "repro", "--scheduler", address, code=1)
    assert "start it with `dask worker --nthreads 1`" in out.splitlines()[-1]


def test_a_worker_apart_that_comes_later_ends_and_spoils_nothing(project, start, tmp_path):
    project.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "remote"))
    project.edit(
        "stages.sh", "mkdir -p data", "until [ -e .cache/go ]; do sleep 0.1; done\nmkdir -p data"
    )
    words = ("--nthreads", "1", "--memory-limit", "0")
    address = start((*words, "--local-directory", str(tmp_path / "one")))
    run = project.start("eosfm", "repro", "--scheduler", address)
    project.wait_for("ran")
    late = ("--no-dashboard", "--preload", str(APART), "--local-directory", str(tmp_path / "two"))
    out = project.run(*WORKER, address, *words, *late)  # which ends by itself
    assert "as all did when the run began; share them with it, or start it before a run" in out
    (project.path / ".cache" / "go").touch()
    out, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, out
    assert (project.path / "joined").read_text().count("word: one") == 2


def test_where_nothing_answers_the_remedy_is_said(monkeypatch):
    monkeypatch.setattr(workers, "STARTS", 1)
    with (
        pytest.raises(EosfmError, match="start `dask scheduler`"),
        workers.workers_at("tcp://127.0.0.1:9"),
    ):
        pass


def test_what_fails_on_a_cluster_is_not_taken_for_its_absence(start):
    address = start(("--nthreads", "1", "--memory-limit", "0"))
    with pytest.raises(OSError, match="disk full"), workers.workers_at(address):
        raise OSError("disk full")
