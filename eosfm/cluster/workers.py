"""The workers: processes of this machine, or those of a Dask cluster that runs already."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from eosfm.cluster.clone import FOLDER
from eosfm.cluster.gpus import visible_gpus
from eosfm.cluster.schedule import kind_of
from eosfm.core.cores import usable_cores
from eosfm.core.errors import EosfmError

STARTS = 30
"""Seconds that a cluster has to answer."""
ATTEMPTS = 3
"""How often the workers of this machine are started."""
STAGE_GB = 2.5
"""Memory that a stage at ``mini`` and its worker may need (``benchmarks/README.md``)."""


@contextmanager
def local_workers(count: int) -> Iterator[Any]:
    """Start workers here, each with a GPU where there are any, and give Dask's client of them."""
    import dask
    from distributed import Client, Nanny, Scheduler

    gpus = visible_gpus()
    options = {
        # Stages are processes of their own: Dask cannot see their memory, nor choose their threads.
        "distributed.nanny.pre-spawn-environ": {},
        "distributed.scheduler.worker-saturation": 1.0,  # the next stage goes to whoever is free
        "distributed.scheduler.allowed-failures": 10,
        "distributed.worker.profile.enabled": False,
        # Every process looks at its own pulse fifty times a second, with 6 % of a core in all.
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "10s",
    }
    workers = {
        number: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,
                "env": {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {},
                "local_directory": str(FOLDER / "dask"),
                "dashboard": False,
                "silence_logs": logging.CRITICAL,
            },
        }
        for number in range(count)
    }
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": ":0"},
    }
    with (
        dask.config.set(options),
        _started(workers, scheduler) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _started(workers: dict[int, Any], scheduler: dict[str, Any]) -> Any:
    """A cluster with all of its workers; one that was killed as it started is started again.

    Dask does so itself with those that have been there already.
    """
    from distributed import SpecCluster

    for _ in range(ATTEMPTS):
        try:
            return SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.WARNING)
        except RuntimeError as error:
            reason = error.__cause__ or error
    raise EosfmError(
        f"no worker process started in {ATTEMPTS} attempts ({reason}); free memory, or take fewer "
        "--workers"
    )


@contextmanager
def workers_at(address: str) -> Iterator[Any]:
    """Dask's client of a cluster that runs already.

    Raises:
        EosfmError: Nothing answers there, or no worker comes.
    """
    from distributed import Client

    with ExitStack() as stack:
        try:
            client = stack.enter_context(Client(address, timeout=STARTS))
            client.wait_for_workers(1, timeout=STARTS)
        except (OSError, TimeoutError) as error:
            raise EosfmError(
                f"no Dask scheduler with workers at {address} within {STARTS} s "
                f"({type(error).__name__}); start `dask scheduler` and `dask worker` first"
            ) from None
        yield client


def insist_on_one_device(stages: Iterable[str]) -> None:
    """Refuse stages on several GPUs, of which :func:`local_workers` gives each worker one.

    Args:
        stages: What is to run.

    Raises:
        EosfmError: There are such.
    """
    if not visible_gpus():
        return
    for key, devices in _devices(stages):
        if isinstance(devices, int) and devices > 1:
            raise EosfmError(
                f"{key} is {devices}, and each worker has one GPU; set {key}=1, or let one stage "
                "after the other have them all: `dvc repro`"
            )


def _devices(stages: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """How many devices these stages ask for, by key."""
    from dvc.utils.serialize import load_yaml

    params = load_yaml("params.yaml")
    trainer, shared = params.get("trainer", {}), params.get("defaults", {}).get("tasks", {})
    for stage in stages:
        kind, item = kind_of(stage), stage.rpartition("@")[2]
        if kind == "train" and trainer.get("accelerator") != "cpu":
            yield "trainer.devices", trainer.get("devices")
        elif kind in ("evaluate", "baseline"):
            yield f"tasks.{item}.devices", (shared | params["tasks"][item]).get("devices")


def usual_count() -> int:
    """One worker per GPU; without one, per core, but no more than memory allows, and says so."""
    from distributed.system import memory_limit

    if gpus := len(visible_gpus()):
        return gpus
    cores, memory = usable_cores(), memory_limit() / 1e9
    count = max(1, min(cores, int(memory / STAGE_GB)))
    if count < cores:
        print(
            f"{count} at a time, not {cores}: a stage may need {STAGE_GB:g} GB of {memory:.0f}; "
            "for another number: --workers",
            flush=True,
        )
    return count
