"""Fits that two processes share: the scores of one, half of the work, and one of them writes."""

import json
import multiprocessing
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation.fit import training_batches
from eosfm.evaluation.trial import make_trials
from eosfm.features import processes
from eosfm.features.encode import encode_task
from eosfm.features.reading import image_split, read_split
from eosfm.params import load_params

from . import sharing

ROOT = Path(__file__).parents[2]
PATIENCE = 600
"""Seconds after which something hangs, on a machine with whatever else to do."""
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.evaluation.sharing", "lightning.fabric"])
PROTOCOL = {"window": 16, "epochs": 2, "steps_per_epoch": 4}
MakeJob = Callable[..., sharing.Job]


@pytest.fixture
def make_job(resolve, edited, artifact, start, tmp_path) -> MakeJob:
    """``make_job(stage)``: a task whose windows are encoded as they are drawn, for one process."""

    def make(stage: str) -> sharing.Job:
        task = resolve("regression", protocol=PROTOCOL)
        encode_task(task, artifact, tmp_path / "features", max_gb=0.0)
        return sharing.Job(
            task, edited().fusion, tmp_path / "features", artifact, start, tmp_path, stage
        )

    return make


def started(job: sharing.Job, work: Callable[[sharing.Job], None] = sharing.run) -> list:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = [
        FORKS.Process(target=sharing.run_as, args=(rank, port, job, work), daemon=True)
        for rank in range(2)
    ]
    for one in both:
        one.start()
    return both


def launch(job: sharing.Job) -> subprocess.Popen:
    """Start the first of two processes, which starts the other."""
    (job.folder / "job").write_bytes(pickle.dumps(job))
    command = [sys.executable, "-m", sharing.__name__, str(job.folder / "job")]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def finish(both: list) -> None:
    for one in both:
        one.join(PATIENCE)
    assert [one.exitcode for one in both] == [0, 0]


def result(job: sharing.Job) -> dict:
    return json.loads((job.folder / "result.json").read_text())


def encoded(job: sharing.Job) -> list[list[int]]:
    """How many images each process encoded in each call."""
    return [json.loads(file.read_text()) for file in sorted(job.folder.glob("encoded?.json"))]


def test_launched_or_killed_and_resumed_two_processes_score_what_one_does(make_job, tmp_path):
    one = make_job("evaluate").of(1, tmp_path / "one")
    launched, killed = (one.of(2, tmp_path / name) for name in ("launched", "killed"))
    launching = launch(launched)

    # Two seeds step by turns: this is within the second epoch, between the two.
    stopped = started(replace(killed, stops=11))
    await_(lambda: len(list(killed.folder.glob("stopped?"))) == 2)
    for process in stopped:
        process.kill()
        process.join()
    assert list(killed.folder.glob("checkpoints/*.pt"))
    finish(started(killed))
    sharing.run(one)
    assert launching.wait(PATIENCE) == 0

    assert result(killed) == result(launched)
    for key in ("val", "test"):
        assert result(launched)[key] == pytest.approx(result(one)[key], abs=1e-3)
    # A batch is encoded once for both seeds, and half of it in each process.
    (alone,), halves = encoded(one), encoded(launched)
    assert alone.count(8) == 2 * 4 and all(half.count(4) == 2 * 4 for half in halves)
    assert sum(map(sum, halves)) < 1.1 * sum(alone)


def test_where_the_first_fails_or_is_killed_the_other_ends(make_job, tmp_path):
    jobs = {name: make_job("waits").of(2, tmp_path / name) for name in ("fails", "waits")}
    failing, waiting = (launch(replace(job, stage=name)) for name, job in jobs.items())

    def second(name: str) -> Path:
        return jobs[name].folder / "process1"

    def ended(name: str) -> bool:
        return not Path("/proc", second(name).read_text()).exists()

    await_(lambda: second("waits").exists() and second("waits").read_text())
    waiting.kill()
    # Neither says that it lost the other: its errors end with the last process that could write.
    assert waiting.communicate(timeout=PATIENCE)[1] == ""
    assert failing.communicate(timeout=PATIENCE)[1] == "error: nothing of the sort\n"
    assert failing.returncode == 1
    await_(lambda: ended("waits") and ended("fails"))


def await_(happens: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_gradient_is_that_of_the_whole_batch_however_the_labels_are_spread(
    resolve, make_job, tmp_path
):
    job = replace(make_job("evaluate"), task=resolve("segmentation"))
    one, two = job.of(1, tmp_path / "one"), job.of(2, tmp_path / "two")
    both = started(two, sharing.save_gradients)
    sharing.save_gradients(one)
    finish(both)
    alone, first, second = (
        torch.load(folder / f"gradients{rank}.pt")
        for folder, rank in ((one.folder, 0), (two.folder, 0), (two.folder, 1))
    )
    torch.testing.assert_close(first, alone)
    torch.testing.assert_close(second, alone)


def test_of_few_tiles_each_process_has_as_many(resolve, monkeypatch):
    task = resolve("segmentation", protocol={"batch_size": 32})
    train = image_split(read_split(task, "train")).take(np.arange(7))
    (trial,) = make_trials(task, train.some_targets(), 1)
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "share", lambda tiles: tiles)
    (request,) = training_batches(train, trial, 1, 1)
    assert len(request.items) == 6


def test_baselines_of_two_processes_score_what_those_of_one_do(make_job, tmp_path):
    one = make_job("baseline").of(1, tmp_path / "one")
    two = one.of(2, tmp_path / "two")
    both = started(two)
    sharing.run(one)
    finish(both)
    for name, baseline in result(one).items():
        for key in ("val", "test"):
            assert result(two)[name][key] == pytest.approx(baseline[key], abs=1e-3), name
        assert result(two)[name]["selected"] == baseline["selected"]
    # The first process alone encodes what is stored, for both.
    assert sum(encoded(two)[1]) < 0.7 * sum(encoded(two)[0])


def test_what_does_not_stay_in_memory_is_prepared_and_stored_once(make_job, tmp_path):
    job = make_job("evaluate").of(2, tmp_path / "two")
    finish(started(job, sharing.prepare))
    first, second = (json.loads((job.folder / f"shared{rank}.json").read_text()) for rank in "01")
    assert first["prepared"] == 20 + 1 and second["prepared"] == 1  # one to tell the size
    for one in (first, second):
        assert one["sum"] == 2 * 20 * 2 * 4 * 4 and one["targets"] == list(range(20))
    assert not [path for path in job.folder.iterdir() if "prepared" in path.name]


def test_one_process_shares_with_none():
    items = np.arange(5)
    assert processes.count() == 1 and processes.is_first()
    assert processes.share(items) is items
    assert processes.together(["a", "b"]) == ["a", "b"]
    assert processes.from_first(lambda: 3) == 3
    processes.go_on_alone()


def test_a_batch_that_cannot_be_shared_equally_is_one_line(tmp_path):
    wrong = (ROOT / "params.yaml").read_text().replace("    devices: 1 ", "    devices: 3 ")
    (tmp_path / "params.yaml").write_text(wrong)
    with pytest.raises(EosfmError, match=r"devices is 3, and so many .* batches of 8 equally"):
        load_params(tmp_path / "params.yaml")


def test_more_processes_than_gpus_are_one_line(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(EosfmError, match=r"tasks.mados.devices is 2, and torch sees 1 GPU; lower"):
        processes.start(2, "tasks.mados.devices")
