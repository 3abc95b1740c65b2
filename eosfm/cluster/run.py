"""``eosfm repro``: workers run what is to run, each stage as soon as its needs are done."""

import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from eosfm.cluster import experiment, home, shell, snapshot, warm
from eosfm.cluster.clone import ENVIRONMENT, FOLDER, NAME, Clone, Settings, sees
from eosfm.cluster.gpus import visible_devices, visible_gpus
from eosfm.cluster.progress import Progress, clock
from eosfm.cluster.schedule import Entry, Schedule, make_schedule
from eosfm.cluster.stage import run_stage, stop_stage
from eosfm.cluster.workers import (
    ATTEMPTS,
    insist_on_one_device,
    local_workers,
    usual_count,
    workers_at,
)
from eosfm.core.errors import EosfmError, want_of
from eosfm.planning.settings import settings
from eosfm.tracking import RUN

T = TypeVar("T")
GROUP = "stage"
"""Common key prefix: Dask then treats all stages as one group and hands them out one by one."""


def repro(
    targets: Sequence[str],
    workers: int | None = None,
    scheduler: str = "",
    overrides: Sequence[str] = (),
    name: str = "",
) -> None:
    """Run the pipeline of the current folder on workers; the results are those of ``dvc repro``.

    Args:
        targets: As of ``dvc repro``; empty for dvc.yaml.
        workers: How many processes of this machine; None for one per GPU or core.
        scheduler: Address of a Dask cluster to use in their place.
        overrides: Parameters to set first, as of ``dvc exp run -S``; the run is an experiment then.
        name: Of the experiment; empty for one of DVC's.

    Raises:
        EosfmError: Stages failed, or the run cannot start.
    """
    start = time.monotonic()
    if workers and scheduler:
        raise EosfmError(
            f"--workers is {workers}, and the cluster at --scheduler {scheduler} has its own; give "
            "one of the two"
        )
    if overrides or name:
        experiment.insist_on_new(name)
    run = os.environ[RUN] = f"{os.uname().nodename}-{os.getpid()}-{int(time.time())}"
    with _terminated(), _folder(Path.cwd() / FOLDER / run) as folder, ExitStack() as whole:
        shell.use(folder)
        if not scheduler:  # whose workers have servers of their own; this one loads meanwhile
            whole.enter_context(warm.served(folder, visible_gpus()))
        with ExitStack() as held:
            with settings(overrides):  # taken back where the run is refused
                # Before any work the first stage reads the parameters, and refuses wrong ones.
                with home.open_repo() as repo:
                    home.run_always_changed(repo, targets)
                repo = held.enter_context(home.open_repo())
                schedule = make_schedule(repo, targets)
                names = schedule.affected()
                if not scheduler:
                    insist_on_one_device(names)
                held.enter_context(home.hold(repo, names))
                before = experiment.files(repo) if overrides or name else {}
                # While workers start, the user may edit what the schedule was made of.
                packed = snapshot.pack(Path.cwd()) if names else b""
            count = len(schedule.stages)
            print(f"{len(names)} of {count} stages to run: changed, or after a change", flush=True)
            if names and scheduler:
                with workers_at(scheduler) as client:
                    _run_all(repo, schedule, client, packed)
            elif names:
                with local_workers(workers or usual_count()) as client:
                    _run_all(repo, schedule, client, packed)
        if overrides or name:
            end = f"; experiment {experiment.record(schedule, before, name)}"
        else:
            here = home.finish(schedule)
            end = f"; ran here: {', '.join(here)}" if here else ""
    print(f"done in {clock(time.monotonic() - start)}{end}")


def _run_all(repo: Any, schedule: Schedule, client: Any, packed: bytes) -> None:
    """Run what is to run on a client's workers, and bring the results home.

    Args:
        repo: The user's folder.
        schedule: What is to run.
        client: Dask's client of the workers.
        packed: The user's files, of :func:`eosfm.cluster.snapshot.pack`.

    Raises:
        EosfmError: Stages failed; what does not depend on them is done.
    """
    settings = _settings(repo, client, packed)
    _insist(lambda: client.register_plugin(Clone(settings), name=NAME))
    remote = settings.apart
    if remote:
        home.push(repo, schedule)
    run = _Run(schedule, client, remote, len(settings.workers))
    try:
        run.to_end()
    except BaseException:
        _ask_last(lambda: client.run(stop_stage, on_error="ignore"))
        raise
    finally:
        try:  # before workers are asked for anything: they may be gone, or Ctrl-C come again
            home.take_in(schedule, run.entries, remote)
        finally:
            _ask_last(lambda: client.unregister_worker_plugin(NAME))
    if run.failed:
        raise EosfmError(run.summary())


def _insist(ask: Callable[[], T]) -> T:
    """Ask all workers; if one is killed meanwhile, ask those that are there then.

    Raises:
        EosfmError: They are killed again and again.
        OSError: The system refuses a worker a file.
    """
    for _ in range(ATTEMPTS):
        try:
            return ask()
        except OSError as error:  # of which Dask's closed connections are
            if want_of(error):  # such as a full disk, which a worker met: it is not killed
                raise
            reason = error
    raise EosfmError(f"workers were killed in {ATTEMPTS} attempts to reach them: {reason}")


def _ask_last(ask: Callable[[], object]) -> None:
    """Ask all workers at the end of a run, where a failure only deserves a warning."""
    try:
        ask()
    except Exception as error:  # of Dask's, of workers' and of the system's, where these are gone
        told = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"warning: not all workers end as they should ({told})", file=sys.stderr, flush=True)


class _Run:
    """The stages on their way.

    Attributes:
        entries: By stage, what each made that ran or was restored.
        failed: By stage, what went wrong.
    """

    def __init__(self, schedule: Schedule, client: Any, remote: bool, workers: int) -> None:
        from distributed import as_completed

        self.entries: dict[str, Entry] = {}
        self.failed: dict[str, str] = {}
        self._schedule = schedule
        self._client = client
        self._remote = remote
        self._names = schedule.affected()
        self._urgency = schedule.urgency()
        self._progress = Progress(self._names, schedule.seconds, workers)
        self._running = as_completed()
        self._ready = TopologicalSorter(
            {name: set(schedule.needs[name]).intersection(self._names) for name in self._names}
        )
        self._ready.prepare()

    def to_end(self) -> None:
        """Run all that does not depend on a failed stage."""
        self._submit()
        for future in self._running:
            name = future.key[1]
            if future.status == "error":  # such as a worker that ended again and again
                self._failed(name, f"{future.exception()}")
            elif future.status == "cancelled":  # by Dask's client, which nothing else answers
                self._failed(name, "the Dask scheduler is gone; start it, and run again")
            elif (done := future.result()).error:
                print(done.log, end="", flush=True)
                self._failed(name, done.error)
            else:
                self.entries[name] = done.entry
                self._progress.say(name, done.summary)
                self._ready.done(name)
                self._submit()

    def summary(self) -> str:
        """Which stages failed, why, and what was not run because of them."""
        reached = {*self.failed, *self.entries}
        waiting = [name for name in self._names if name not in reached]
        told = "; ".join(f"{name}: {error}" for name, error in self.failed.items())
        return f"failed: {told}" + (f"; not run: {', '.join(waiting)}" if waiting else "")

    def _submit(self) -> None:
        """Hand out the stages whose needs are done, the most urgent first."""
        while names := self._ready.get_ready():
            for name in names:
                if self._may_rest(name):
                    self._progress.say(name, "unchanged")
                    self._ready.done(name)
                    continue
                needs = [self._known(need) for need in self._schedule.needs[name]]
                self._running.add(
                    self._client.submit(
                        run_stage, self._schedule.stages[name], needs, self._remote,
                        key=(GROUP, name), priority=self._urgency[name], pure=False,
                    )
                )  # fmt: skip

    def _known(self, name: str) -> Any:
        """A stage with what it made last."""
        stage = self._schedule.stages[name]
        return replace(stage, entry=self.entries.get(name, stage.entry))

    def _may_rest(self, name: str) -> bool:
        """Whether a stage can be skipped: unchanged, and its needs have the same outs as before."""
        if name in self._schedule.changed:
            return False
        for need in self._schedule.needs[name]:
            made, before = self.entries.get(need), self._schedule.stages[need].entry
            if made is not None and (before is None or made["outs"] != before["outs"]):
                return False
        return True

    def _failed(self, name: str, error: str) -> None:
        self.failed[name] = error
        self._progress.say(name, f"failed: {error}")


def _settings(repo: Any, client: Any, packed: bytes) -> Settings:
    cache = {key: value for key, value in repo.config["cache"].items() if isinstance(value, str)}
    project, run, folder = Path.cwd(), os.environ[RUN], Path(repo.cache.local.path).parents[1]
    workers = client.scheduler_info(n_workers=-1)["workers"]
    shared = _insist(lambda: client.run(sees, project / FOLDER / run, folder))
    return Settings(
        run=run,
        project=project,
        packed=packed,
        cache=cache | {"dir": str(folder)},
        remote=repo.config["core"].get("remote", ""),
        apart=not all(shared.values()),
        environment={name: os.environ.get(name) for name in ENVIRONMENT},
        workers=frozenset(workers),
        hosts=Counter(worker["host"] for worker in workers.values()),
        gpus=Counter(
            (workers[address]["host"], devices)
            for address, devices in _insist(lambda: client.run(visible_devices)).items()
            if address in workers
        ),
    )


@contextmanager
def _folder(folder: Path) -> Iterator[Path]:
    """Create the run's folder, and remove those of killed runs of this machine."""
    import psutil

    folder.mkdir(parents=True)
    form = re.compile(rf"{re.escape(os.uname().nodename)}-(\d+)-\d+")  # no name that only begins so
    for other in folder.parent.iterdir():
        if (run := form.fullmatch(other.name)) and not psutil.pid_exists(int(run[1])):
            # Another run may remove it as well, or workers of a cluster be at work there.
            shutil.rmtree(other, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # workers may still be on their way out


@contextmanager
def _terminated() -> Iterator[None]:
    """Let a SIGTERM end the run as Ctrl-C does."""
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
