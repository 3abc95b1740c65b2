"""Work in the user's own folder: before the workers start, and on taking in their results."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eosfm.cluster.schedule import Entry, Schedule
from eosfm.core.errors import EosfmError
from eosfm.planning.dvc_faults import dvc_errors
from eosfm.planning.dvc_yaml import patch_yaml


@contextmanager
def open_repo(wait: bool = False) -> Iterator[Any]:
    """DVC in the current folder.

    Args:
        wait: Whether to wait, as long as it takes, for another DVC that is at work there.

    Raises:
        EosfmError: The folder has no pipeline, or another DVC is at work there.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo

    if not (Path(".dvc").is_dir() and Path("dvc.yaml").is_file()):
        raise EosfmError(f"{Path.cwd()} has no dvc.yaml with a .dvc beside; run in the project")
    for name in ("dvc", "dvc_data"):  # which warns of every out that was never made
        logging.getLogger(name).setLevel(logging.ERROR)
    patch_yaml()
    try:
        with dvc_errors():
            opened = Repo(".", _wait_for_lock=wait)
        with opened as repo:
            yield repo
    except LockError as error:
        raise EosfmError(f"DVC is at work in this project: {error}") from None


def run_always_changed(repo: Any, targets: Sequence[str]) -> None:
    """Run the stages that run in every repro, such as `watch`: they look at the user's own files.

    Raises:
        EosfmError: One failed, or DVC does not know a target.
    """
    from dvc.repo.reproduce import collect_stages, plan_repro

    with dvc_errors():
        stages = plan_repro(repo.index.graph, collect_stages(repo, targets or ["dvc.yaml"]))
        always = [s.addressing for s in stages if s.always_changed or s.is_callback]
        if always:
            repo.reproduce(always)


@contextmanager
def hold(repo: Any, names: Sequence[str]) -> Iterator[None]:
    """Lock the outs of these stages against other DVC processes.

    Raises:
        EosfmError: Another one makes them now.
    """
    import sys

    from dvc.lock import LockError
    from dvc.rwlock import rwlock

    stages = [stage for stage in repo.index.stages if stage.addressing in names]
    outs = [out.fs_path for stage in stages for out in stage.outs]
    try:
        with rwlock(repo.tmp_dir, repo.fs, " ".join(sys.argv), [], outs, hardlink=False):
            yield
    except LockError as error:
        raise EosfmError(f"another run makes the same: {error}") from None


def push(repo: Any, schedule: Schedule) -> None:
    """Push the finished stages that pending ones need to DVC's remote."""
    names = schedule.affected()
    done = {need for name in names for need in schedule.needs[name]}.difference(names)
    if done:
        with dvc_errors():
            repo.push(sorted(done))


def take_in(schedule: Schedule, entries: Mapping[str, Entry], remote: bool) -> None:
    """Bring what workers made into the user's folder and its locks.

    Args:
        schedule: What was to run.
        entries: By stage, what each that is done made.
        remote: Whether it lies in DVC's remote and not in the folder's own cache.
    """
    from dvc.repo import lock_repo
    from dvc.utils.serialize import modify_yaml

    if not entries:  # DVC takes no target for all
        return
    with open_repo(wait=True) as repo, lock_repo(repo):  # another may bring home other stages
        for lock in dict.fromkeys(schedule.stages[name].lock for name in entries):
            with modify_yaml(lock) as data:
                data.setdefault("schema", "2.0")
                known = data.setdefault("stages", {})
                for name, stage in schedule.stages.items():  # in DVC's order
                    if stage.lock == lock and name in entries:
                        known[stage.key] = entries[name]
        with dvc_errors():
            if remote:
                repo.fetch(list(entries))
            _check_out(repo, entries)


def _check_out(repo: Any, names: Collection[str]) -> None:
    """Put what stages made into the folder: ``dvc checkout`` reads a whole lock for each target."""
    for stage in repo.index.stages:
        if stage.addressing in names:
            for out in stage.outs:
                out.checkout(force=True)


def finish(schedule: Schedule) -> list[str]:
    """Run the stages that only this folder can run; later changes are left to the next run.

    Returns:
        The stages that it ran or restored.

    Raises:
        EosfmError: One failed.
    """
    names = [name for name in schedule.stages if name in schedule.at_home]
    if not names:  # DVC takes no target for all
        return []
    with open_repo() as repo, dvc_errors():
        ran = repo.reproduce(names, single_item=True)
        return [stage.addressing for stage in ran]
