"""Running one stage, on a worker."""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from distributed import Worker

from eosfm.cluster.clone import FOLDER, NAME, this_clone
from eosfm.cluster.schedule import Entry, Stage
from eosfm.cluster.shell import LOG
from eosfm.planning.dvc_faults import origin
from eosfm.planning.dvc_yaml import patch_yaml

STOPPING = 10
"""Seconds that a worker waits for the end of a stage that it stops."""


@dataclass(frozen=True)
class Done:
    """How a stage ended.

    Attributes:
        entry: Its entry for dvc.lock; None if it failed.
        log: What it printed.
        error: What went wrong, in a line; empty if nothing did.
        seconds: How long it took, DVC included.
    """

    entry: Entry | None
    log: str
    error: str
    seconds: float

    @property
    def summary(self) -> str:
        """The last line that it printed, which tells the most."""
        return last_line(self.log) or f"done in {self.seconds:.1f} s"


def run_stage(stage: Stage, needs: Sequence[Stage], remote: bool) -> Done:
    """Run a stage in this worker's clone, or restore it from DVC's cache of runs.

    Args:
        stage: The stage.
        needs: Those whose outs it reads, with what they made.
        remote: Whether workers meet in DVC's remote.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    start = time.perf_counter()
    clone = this_clone()
    if clone.stopped:
        raise RuntimeError("the run was stopped")
    log = clone.path / FOLDER / "logs" / f"{stage.name.replace('/', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    os.environ[LOG] = str(log.resolve())
    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # what it says is in the exception
    patch_yaml()
    _write_locks(clone.path, [stage, *needs])
    entry, error = None, ""
    try:
        with Repo(str(clone.path)) as repo:
            if remote:
                repo.fetch([need.name for need in needs])
            _bring(repo, stage, needs)
            repo.reproduce(stage.name, single_item=True)
            if remote:
                repo.push([stage.name])
        entry = _read_entry(clone.path, stage)
    except DvcException as fault:
        error = _why(log, fault)
    text = log.read_text(errors="replace")
    return Done(entry, text, error, time.perf_counter() - start)


async def stop_stage(dask_worker: Worker) -> None:
    """End the stage that a worker runs, and let it start no other."""
    plugin: Any = dask_worker.plugins[NAME]
    plugin.stopped = True
    for _ in range(STOPPING * 10):
        if not dask_worker.state.executing:
            return
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        await asyncio.sleep(0.1)


def _read_entry(folder: Path, stage: Stage) -> Entry:
    """A stage's entry in the lock of a clone."""
    from dvc.utils.serialize import load_yaml

    entry: Entry = load_yaml(folder / stage.lock)["stages"][stage.key]
    return entry


def _write_locks(folder: Path, stages: Sequence[Stage]) -> None:
    """Write locks that know these stages alone; DVC reads and writes them whole."""
    from dvc.utils.serialize import dump_yaml

    locks: dict[str, dict[str, Entry]] = {stage.lock: {} for stage in stages if stage.key}
    for stage in stages:
        if stage.entry is not None:
            locks[stage.lock][stage.key] = stage.entry
    for name, entries in locks.items():
        dump_yaml(folder / name, {"schema": "2.0", "stages": entries})


def _bring(repo: Any, stage: Stage, needs: Sequence[Stage]) -> None:
    """Link what a stage depends on from the cache."""
    deps = [dep.fs_path for dep in repo.stage.load_one(stage.file, stage.key).deps]
    for need in needs:
        for out in repo.stage.load_one(need.file, need.key or None).outs:
            within, path = out.fs.isin_or_eq, out.fs_path
            if any(within(dep, path) or within(path, dep) for dep in deps):
                out.checkout(force=True)


def _why(log: Path, fault: Exception) -> str:
    """The error that a stage printed; for a killed one, DVC's error and its last line."""
    said = last_line(log.read_text(errors="replace"))
    if said.startswith("error: "):
        return said
    told = " ".join(str(origin(fault)).split())
    return f"{told}; its last line: {said}" if said else told


def last_line(text: str) -> str:
    """The last line with something in it; empty if there is none."""
    return next(reversed(text.strip().splitlines()), "").strip()
