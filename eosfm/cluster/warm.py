"""A fork server: a process that preloads the stages' packages and forks for each stage.

Starting Python with torch and Lightning takes seconds, as long as many a stage of ``mini`` runs.
Only third-party packages are preloaded; a stage imports the project's own modules itself.
:mod:`eosfm.cluster.shell` requests the forks, and starts Python anew if the server does not answer.

A request is JSON, ``[words, folder, environment]`` with the script as the first word, sent with the
file descriptors of standard input, output and error. The reply is two lines: the id of the process,
which leads its own group, and the exit status as :mod:`subprocess` gives it. If the client
disconnects, the group is killed.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from eosfm.cluster.shell import DOOR, within

PACKAGES = (
    "torch", "torchvision", "timm", "torchmetrics", "lightning", "segmentation_models_pytorch",
    "codecarbon", "dvc.repo", "dvclive", "pandas", "matplotlib.pyplot", "scipy.stats", "rasterio",
    "geopandas", "pyarrow.parquet", "pydantic", "typer",
)  # fmt: skip
"""What stages load, those that bring others last."""
LOOK = 0.5
"""Seconds between two looks at the parent."""


def start(door: Path, packages: Sequence[str] = PACKAGES) -> "subprocess.Popen[bytes]":
    """Start the server; it ends with this process, and answers once all packages are loaded.

    Args:
        door: Path of its socket, created by the server.
        packages: Packages to preload.
    """
    code = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "eosfm.cluster.warm", str(door), *packages],
        # Waiting threads of one stage stay out of the way of the others, as in the Makefile.
        env={"GOMP_SPINCOUNT": "30000"} | os.environ | {"PYTHONPATH": os.pathsep.join(code)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,  # a line when it answers
        stderr=subprocess.DEVNULL,  # what a package says or lacks, a stage will say
        start_new_session=True,  # no keys of a terminal reach it, or what it forks
    )


@contextmanager
def served(folder: Path, gpus: Sequence[str]) -> Iterator[None]:
    """Within the block, stages of this process and of its children fork from a server.

    Args:
        folder: Where its socket is made.
        gpus: Those that stages see, with which none is forked (:func:`usable`).
    """
    if not usable(gpus):
        yield
        return
    with start(folder / "door") as server:
        os.environ[DOOR] = str(folder / "door")
        try:
            yield
        finally:
            del os.environ[DOOR]
            server.kill()


def usable(gpus: Sequence[str]) -> bool:
    """Whether stages may start as forks.

    Not with GPUs: a process that has accessed them cannot fork, and stages there run for hours, so
    the start does not matter. Nor where system libraries do not survive a fork, as on macOS, nor
    where the current folder's project has no scripts for stages.
    """
    return sys.platform.startswith("linux") and not gpus and Path("stages").is_dir()


def load(packages: Sequence[str]) -> None:
    """Import packages, then drop the project's own modules, which each stage imports itself."""
    from eosfm.core.loading import loading

    with loading():
        for package in packages:
            import_module(package)
    for name in [name for name in sys.modules if name.partition(".")[0] == "eosfm"]:
        del sys.modules[name]
    gc.freeze()  # or every fork looks through all of it for garbage


def serve(listening: socket.socket, parent: int) -> None:
    """Fork for each request, as long as the parent lives; returns in the fork."""
    listening.listen()
    listening.settimeout(LOOK)
    print("ready", flush=True)
    while os.getppid() == parent:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        try:
            asked, _ = listening.accept()
        except TimeoutError:
            continue
        if not os.fork() and _attend(asked):
            listening.close()
            return
        asked.close()
    os._exit(0)


def _attend(asked: socket.socket) -> bool:
    """Fork once more: the child becomes the requested process, the parent reports its exit."""
    data, files, *_ = socket.recv_fds(asked, 1 << 20, 3)
    while more := asked.recv(1 << 20):
        data += more
    runner = os.fork()
    with suppress(OSError):  # either of the two is the first
        os.setpgid(runner, runner)
    if runner:
        for file in files:
            os.close(file)
        _tell_end(runner, asked)
        os._exit(0)
    asked.sendall(f"{os.getpid()}\n".encode())
    asked.close()
    sys.argv, folder, environment = json.loads(data)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return True


def _tell_end(runner: int, asked: socket.socket) -> None:
    """Report a process's exit status to the client; kill its group if the client hangs up first."""
    events = select.poll()
    events.register(os.pidfd_open(runner), select.POLLIN)
    events.register(asked, 0)  # poll always reports a hang-up
    if asked.fileno() in dict(events.poll()):
        with suppress(ProcessLookupError):
            os.killpg(runner, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(runner, 0)[1])
    with suppress(OSError):
        asked.sendall(f"{code}\n".encode())


def run() -> int:
    """Do what Python does with its command line; the exit status."""
    code = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(Path(sys.argv[0]).resolve().parent), *code]
    with suppress(ModuleNotFoundError):
        sys.modules.pop("sitecustomize", None)
        import_module("sitecustomize")
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as asked:
        if asked.code is None or isinstance(asked.code, int):
            return asked.code or 0
        print(asked.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        return 1
    return 0


def main(door: str, packages: Sequence[str]) -> None:
    """Preload, serve, and in a fork run the requested script."""
    parent, code = os.getppid(), 1

    def leave() -> None:
        """Exit without Python's teardown, which would copy the memory shared with the server."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)  # registered first, so called last
    listening = socket.socket(socket.AF_UNIX)
    with within(door) as name:
        listening.bind(name)
    load(packages)
    serve(listening, parent)
    code = run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
