"""Fits in several processes, started by Lightning (run this module) or by a test."""

import json
import os
import pickle
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from eosfm import cli
from eosfm.core.errors import EosfmError
from eosfm.core.results import write_result
from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.evaluation import checkpoint
from eosfm.evaluation.baselines import run_baselines
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.evaluate import evaluate_task
from eosfm.evaluation.learner import Learner
from eosfm.evaluation.trial import Trial
from eosfm.features import frozen, processes
from eosfm.features.source import Levels, StoredLevels
from eosfm.features.task import Task
from eosfm.features.windows import Windows
from eosfm.kinds.targets import TargetStatistics
from eosfm.params import Fusion
from tests.fixtures.tasks import BACKBONE


@dataclass(frozen=True)
class Job:
    """What the stages evaluate and baseline do, of one task.

    Attributes:
        folder: Where the result goes, and what each process has encoded.
        stage: ``evaluate`` or ``baseline``; or ``waits`` or ``fails``: what the first process does
            for the others, and nothing else.
        stops: Step at which each process stands still; None for never.
    """

    task: Task
    fusion: Fusion
    features: Path
    artifact: Path
    start: Path
    folder: Path
    stage: str = "evaluate"
    stops: int | None = None

    def of(self, devices: int, folder: Path, **changes: object) -> "Job":
        """The same in so many processes."""
        folder.mkdir()
        task = replace(self.task, devices=devices)
        return replace(self, task=task, folder=folder, **changes)  # type: ignore[arg-type]


def run(job: Job) -> None:
    """Do a job, with a checkpoint wherever one may be."""
    rank = os.environ.get("LOCAL_RANK", "0")
    (job.folder / f"process{rank}").write_text(str(os.getpid()))
    late = rank == "1" and job.stage == "fails"
    with patch("torch.distributed.init_process_group", _meet_too_late) if late else nullcontext():
        processes.start(job.task.devices, "devices")
    if job.stage in ("waits", "fails"):
        processes.from_first(partial(time.sleep, 600) if job.stage == "waits" else _fail)
    encoded: list[int] = []
    encode, step = EnsembleEncoder.encode, Learner.step
    steps = 0

    def counted(self: EnsembleEncoder, x, *args):  # type: ignore[no-untyped-def]
        encoded.append(len(x))
        return encode(self, x, *args)

    def stopping(self: Learner, *args):  # type: ignore[no-untyped-def]
        nonlocal steps
        if steps == job.stops:
            (job.folder / f"stopped{rank}").touch()
            time.sleep(600)
        steps += 1
        return step(self, *args)

    found = Checkpoints(job.folder / "checkpoints", f"{job.stage}.py", (job.artifact,))
    with (
        patch.object(checkpoint, "SECONDS", 0.0),
        patch.object(EnsembleEncoder, "encode", counted),
        patch.object(Learner, "step", stopping),
    ):
        if job.stage == "evaluate":
            result = evaluate_task(
                job.task, job.fusion, job.features, job.artifact, None, found, keep=_ignore
            )
        else:
            result = run_baselines(
                job.task, BACKBONE, job.features, job.artifact, job.start, 1.0, found
            )
    (job.folder / f"encoded{rank}.json").write_text(json.dumps(encoded))
    processes.go_on_alone()
    write_result(job.folder / "result.json", result)


def _fail() -> None:
    raise EosfmError("nothing of the sort")


_meet = torch.distributed.init_process_group


def _meet_too_late(*args: object, **kwargs: object) -> None:
    """Where torch still waits for the first process, which goes on meanwhile and ends."""
    first = os.getppid()
    _meet(*args, **kwargs)  # type: ignore[arg-type]
    while os.getppid() == first:
        time.sleep(0.01)
    raise torch.distributed.DistNetworkError("Connection reset by peer")


def _ignore(*args: object) -> None:
    """A best fit that nobody keeps."""


def save_gradients(job: Job) -> None:
    """The gradients of one step of a model on four tiles, two of which have hardly a label."""
    processes.start(job.task.devices, "devices")
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    target = (images[:, 0] > 0.7).long()
    target[::2, :, 1:] = job.task.ignore_index
    torch.manual_seed(0)
    model = _Pixels(3, 2, 1)
    learner = Learner(model, Trial(job.task, TargetStatistics((900, 100), 1000), 0), length=None)
    mine = processes.share(np.arange(4))
    with patch("eosfm.evaluation.learner.GRADIENT_NORM", 1e9):
        loss = learner.step(images[mine], target[mine], (8, 8))
    rank = os.environ.get("LOCAL_RANK", "0")
    torch.save([loss, *(p.grad for p in model.parameters())], job.folder / f"gradients{rank}.pt")


def prepare(job: Job) -> None:
    """Prepare features that do not stay in memory; keep their sum, and how many were prepared."""
    processes.start(job.task.devices, "devices")
    windows = Windows.whole((8, 8))
    source = StoredLevels([np.ones((20, 1, 2, 4, 4), np.float32)], np.arange(20), windows)
    days, rank = torch.zeros(20, 1), os.environ.get("LOCAL_RANK", "0")
    count = 0

    def doubled(levels: Levels, days: torch.Tensor) -> Levels:
        nonlocal count
        count += len(days)
        return [2 * level for level in levels]

    with patch.object(frozen, "MEMORY_GB", 0.0), patch.object(frozen, "SCRATCH", job.folder):
        made = frozen.FrozenFeatures(source, days, windows).prepared(doubled)
    ((level,), _), target = made.batch(np.arange(20))
    told = {"prepared": count, "sum": float(level.sum()), "targets": target.tolist()}
    (job.folder / f"shared{rank}.json").write_text(json.dumps(told))
    processes.go_on_alone()


class _Pixels(torch.nn.Conv2d):
    """A linear model of pixels, called as one of features."""

    def forward(self, images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return super().forward(images)


def run_as(rank: int, port: int, job: Job, work: Callable[[Job], None] = run) -> None:
    """Do a job as one of two processes."""
    os.environ |= {
        processes.FIRST: str(os.getppid()),
        "LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    work(job)


if __name__ == "__main__":
    cli.run(lambda job: run(pickle.loads(Path(job).read_bytes())))
