"""A worker's own copy of the project, in which it runs stages."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin

from eosfm.cluster import shell, snapshot, warm
from eosfm.cluster.gpus import visible_devices, visible_gpus
from eosfm.core.cores import CORES, usable_cores
from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.trust import TRUSTED
from eosfm.tracking import GPU_SHARE, RUN, SHARE

NAME = "eosfm-clone"
"""Name of the worker plugin that holds the clone."""
FOLDER = Path(".cache/repro")
"""Where runs keep their clones and what stages print."""
ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "EOSFM_DEBUG")
"""Variables that stages see as the user set them; Dask sets some of them in its workers."""


@dataclass(frozen=True)
class Settings:
    """What all clones of a run have in common.

    Attributes:
        run: Name of the run.
        project: The user's folder.
        packed: Its files, of :func:`eosfm.cluster.snapshot.pack`.
        cache: DVC's options of its cache, ``dir`` among them, an absolute path.
        remote: DVC's default remote; empty if there is none.
        apart: Whether results go through the remote, as some worker does not see the user's folder.
        environment: :data:`ENVIRONMENT` as the user has it; None for what is not set.
        workers: Addresses of the workers present when the run begins.
        hosts: Number of these workers by host address.
        gpus: Number of these workers by host address and GPUs seen (:func:`visible_devices`).
    """

    run: str
    project: Path
    packed: bytes
    cache: Mapping[str, str]
    remote: str
    apart: bool
    environment: Mapping[str, str | None]
    workers: frozenset[str]
    hosts: Mapping[str, int]
    gpus: Mapping[tuple[str, str], int]

    @property
    def folder(self) -> Path:
        """Where clones of workers that see the user's folder lie."""
        return self.project / FOLDER / self.run


class Clone(WorkerPlugin):
    """The clone of a worker, made when it starts.

    A worker that sees the user's folder shares DVC's cache and the scratch folder with it. Any
    other has both on its own machine, and exchanges results through DVC's default remote.
    """

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopped = False
        self._former: dict[str, str] = {}  # its environment, once anything of it changes
        self._warm: subprocess.Popen[bytes] | None = None

    async def setup(self, worker: Worker) -> None:
        """Make the clone and go there; one process is one worker with one stage at a time."""
        own = self.settings
        self.shared = sees(own.folder, Path(own.cache["dir"]))
        try:
            self._insist_on_use(worker)
        except EosfmError:
            address = worker.contact_address
            if address not in own.workers:  # it came later, and Dask gives it stages all the same
                await worker.scheduler.unregister(address=address, stimulus_id=NAME, expected=True)
            raise
        if worker.nanny:  # Ctrl-C reaches every process of a terminal; the nanny's end this one
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._from, self._former = Path.cwd(), dict(os.environ)
        base = own.folder if self.shared else Path(worker.local_directory).parent / "eosfm"
        self.path = base / f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        scratch = own.project / ".cache" if self.shared else base / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        snapshot.unpack(own.packed, self.path)
        (self.path / ".cache").symlink_to(scratch)
        self._configure_dvc(base / "cache")
        if self.shared:
            self._point_home()
            self._trust_at_home()
        alike = own.gpus.get((worker.ip, visible_devices()), 1)
        self._enter(1 / max(1, own.hosts.get(worker.ip, 1)), 1 / max(1, alike))

    def teardown(self, worker: Worker) -> None:
        """Remove the clone and restore the worker; Dask also calls this on refused workers."""
        if not self._former:
            return
        if self._warm:
            self._warm.kill()
            self._warm.communicate()
        os.environ.clear()
        os.environ.update(self._former)
        os.chdir(self._from)
        shutil.rmtree(self.path, ignore_errors=True)  # a stage may still be on its way out

    def _insist_on_use(self, worker: Worker) -> None:
        """Refuse a worker that cannot take part in this run.

        Raises:
            EosfmError: It has several threads, or nothing in common with the others.
        """
        own = self.settings
        if worker.state.nthreads != 1:
            raise EosfmError(
                f"worker {worker.address} has {worker.state.nthreads} threads, and a stage needs "
                "a process of its own; start it with `dask worker --nthreads 1`"
            )
        if not self.shared and not own.remote:
            raise EosfmError(
                f"worker {worker.address} does not see {own.project} and its DVC cache; share them "
                "with it, or name a remote: `dvc remote add --default storage s3://...`"
            )
        if not self.shared and not own.apart:
            raise EosfmError(
                f"worker {worker.address} does not see {own.project} and its DVC cache, as all did "
                "when the run began; share them with it, or start it before a run"
            )

    def _configure_dvc(self, cache: Path) -> None:
        """Let DVC use the shared cache, without Git, and leave nothing outside the clone."""
        from configobj import ConfigObj

        (self.path / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
        where = {} if self.shared else {"dir": str(cache)}
        # DVC reads its files as UTF-8, and writes names of folders in ASCII alone.
        local = ConfigObj(str(self.path / ".dvc" / "config.local"), encoding="utf-8")
        local["core"] = {
            "no_scm": True,
            "site_cache_dir": str(self.path / ".dvc" / "tmp" / "site"),
        }
        local["cache"] = {**self.settings.cache, **where}
        local.write()

    def _point_home(self) -> None:
        """Make relative paths of the user's own data absolute, based on the user's folder.

        These parameters are in no dvc.lock, so the change invalidates no stage.
        """
        from dvc.utils.serialize import modify_yaml

        file = self.path / "params.yaml"
        if not file.exists():
            return
        home = self.settings.project
        with modify_yaml(str(file)) as params:
            if "archives" in params:
                params["archives"] = str(home / Path(params["archives"]).expanduser())
            for dataset in params.get("datasets", {}).values():
                if dataset.get("root"):
                    dataset["root"] = str(home / Path(dataset["root"]).expanduser())

    def _trust_at_home(self) -> None:
        """Link the clone's trust-on-first-use records to those in the user's folder, under Git."""
        home, here = self.settings.project / TRUSTED, self.path / TRUSTED
        if home.is_dir():
            shutil.rmtree(here, ignore_errors=True)
            here.parent.mkdir(exist_ok=True)
            here.symlink_to(home)

    def _enter(self, share: float, gpu_share: float) -> None:
        """Let stages run the clone's code, with this worker's Python, and end with the worker."""
        shell.use(self.path / ".dvc" / "tmp")
        for name, value in self.settings.environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        # Waiting threads of one stage stay out of the way of the others, as in the Makefile.
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")
        code = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ |= {
            RUN: self.settings.run,
            SHARE: str(share),
            GPU_SHARE: str(gpu_share),
            # Twice the share: not every stage fills its own all the time.
            CORES: str(max(1, ceil(2 * share * usable_cores()))),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(code),
        }
        os.chdir(self.path)
        # Workers of the run's own process share its fork server.
        if shell.DOOR not in os.environ and warm.usable(visible_gpus()):
            door = self.path / ".dvc" / "tmp" / "door"
            self._warm = warm.start(door)
            os.environ[shell.DOOR] = str(door)


def sees(folder: Path, cache: Path) -> bool:
    """Whether a worker shares the user's folder, where a run's clones lie, and DVC's cache."""
    return folder.is_dir() and cache.is_dir()


def this_clone() -> Clone:
    """The clone of the worker that this is called on."""
    from distributed import get_worker

    plugin: Any = get_worker().plugins[NAME]
    return plugin  # type: ignore[no-any-return]
