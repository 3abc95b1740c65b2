"""A process that has loaded what stages and DVC load, and forks for each that is started.

A start of Python with torch takes seconds, and these tests start a hundred. What is loaded here is
other people's packages alone: a stage imports the project's own modules from its copy of them. How
stages start without this, ``make mini`` shows, and tests/pipeline/test_start.py.
"""

import contextlib
import json
import os
import runpy
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PACKAGES = (
    "torch", "torchvision", "timm", "torchmetrics", "torchmetrics.detection", "lightning",
    "segmentation_models_pytorch", "matplotlib.pyplot", "scipy.stats", "pandas", "geopandas",
    "rasterio", "pyarrow.parquet", "pydantic.main", "pydantic.dataclasses", "typer", "codecarbon",
    "dvclive", "psutil", "dvc.cli", "dvc.cli.parser", "dvc.commands.repro", "dvc.repo",
    "dvc.ignore", "dvc.output", "dvc.repo.reproduce", "dvc.repo.status", "dvc_http",
    "dvc.commands.experiments.run",
)  # fmt: skip

CLIENT = """#!{python} -IS
import json, os, socket, sys
program = os.path.basename(sys.argv[0])
if program == "python" and not sys.argv[1].endswith(".py"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    request = json.dumps([program, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [request], [0, 1, 2])
    door.shutdown(socket.SHUT_WR)
    sys.exit(int(door.recv(16) or 1))
"""
"""What is found as each of the commands: it hands itself over and waits for the end."""


@contextlib.contextmanager
def warm_commands() -> Iterator[Path]:
    """A folder of commands `python`, `dvc` and `eosfm` that need no start."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's are too long for a socket's name
        door = f"{folder}/door"
        for name in ("python", "dvc", "eosfm"):
            command = Path(folder, "bin", name)
            command.parent.mkdir(exist_ok=True)
            command.write_text(CLIENT.format(python=sys.executable, door=door))
            command.chmod(0o755)
        server = subprocess.Popen([sys.executable, __file__, door], stdout=subprocess.PIPE)
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        try:
            yield Path(folder, "bin")
        finally:
            server.terminate()
            server.wait()


def serve(door: str) -> None:
    """Fork for each request; returns in the process that is to run it."""
    tests = os.getppid()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(door)
        listening.listen()
        listening.settimeout(1)
        print("ready", flush=True)
        while os.getppid() == tests:  # or they were killed
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            try:
                asked, _ = listening.accept()
            except TimeoutError:
                continue
            if not os.fork() and attend(asked):
                listening.close()
                return
            asked.close()
    sys.exit()


def attend(asked: socket.socket) -> bool:
    """Fork once more: one process becomes what is asked for, the other tells how that ended."""
    data, files, *_ = socket.recv_fds(asked, 1 << 20, 3)
    while more := asked.recv(1 << 20):
        data += more
    runner = os.fork()
    if runner:
        for file in files:
            os.close(file)
        asked.sendall(str(os.waitstatus_to_exitcode(os.waitpid(runner, 0)[1])).encode())
        os._exit(0)
    asked.close()
    program, words, folder, environment = json.loads(data)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = words if program == "python" else [str(shutil.which(program)), *words]
    return True


def run() -> None:
    """What Python does with its command line."""
    program = Path(sys.argv[0])
    sys.path[:0] = [str(program.parent), *os.environ["PYTHONPATH"].split(os.pathsep)]
    if program.suffix != ".py":
        sys.exit(import_module(f"{program.name}.cli").main())
    with contextlib.suppress(ModuleNotFoundError):
        sys.modules.pop("sitecustomize", None)
        import_module("sitecustomize")
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    for package in PACKAGES:
        import_module(package)
    serve(sys.argv[1])
    run()
