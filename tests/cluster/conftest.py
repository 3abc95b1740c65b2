"""A small pipeline of shell commands in a Git repository of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
import yaml

from tests.fixtures.warm import DVC, warm_commands

ROOT = Path(__file__).parents[2]
PATIENCE = 600
"""Seconds after which something hangs, on a machine with whatever else to do."""
DATA = """
vars: [../params.yaml]
stages:
  watch:
    wdir: ..
    cmd: mkdir -p data/roots && echo here > data/roots/a && echo ran >> .cache/watched
    always_changed: true
    outs: [data/roots]
  raw:
    foreach: ${items}
    do:
      wdir: ..
      cmd: sh stages.sh raw ${key}
      deps: ["stages.sh", "data/roots/a"]
      params: ["items.${key}"]
      outs: ["data/raw/${key}"]
"""
PIPELINE = """
stages:
  fit:
    foreach: ${items}
    do:
      cmd: sh stages.sh fit ${key}
      deps: ["stages.sh", "data/raw/${key}"]
      params: [word]
      outs: ["models/${key}"]
  join:
    cmd: cat models/* > joined && rm -f joined.part
    deps: [models]
    outs: [joined]
  report:
    cmd: wc joined > report.txt
    deps: [joined]
    outs:
      - report.txt:
          cache: false
"""
PARAMS = """# two items
archives: data/archives  # where they are
datasets:
  a: {root: ../mine}
  b: {root: null}
  c: {root: ~/theirs}
items:
  a:
    n: 1
  b:
    n: 2
word: one
"""
SCRIPT = """set -e
echo "$1 $2 starts"
echo "$1 $2 $PWD" >> .cache/ran
mkdir -p data/raw/$2 models
case $1 in
  raw) grep -E "archives|root" params.yaml > .cache/paths
    grep -A1 "^  $2:$" params.yaml > data/raw/$2/x ;;
  fit) cat data/raw/$2/x > models/$2; grep word params.yaml >> models/$2 ;;
esac
echo "$1 $2 ends"
"""


class Project:
    """The small pipeline, and commands run in it.

    Attributes:
        commands: Folder of the commands `dvc` and `eosfm`.
    """

    commands: ClassVar = Path(sys.executable).parent

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self) -> None:
        """Make the pipeline, and commit it."""
        path = self.path
        for name, text in {
            "data/dvc.yaml": DATA,
            "dvc.yaml": PIPELINE,
            "stages.sh": SCRIPT,
            ".gitignore": "/data/raw\n/data/roots\n/models\n/joined\n/.cache\n",
            "params.yaml": PARAMS,
        }.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
        (path / ".cache").mkdir()
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        links = (ROOT / ".dvc" / "config").read_text()
        (path / ".dvc" / "config").write_text(links)
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all")

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            words,
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "DVC_NO_ANALYTICS": "1",
            },
        )

    def run(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, out
        return out

    def repro(self, *words: str, workers: int = 1, code: int = 0) -> str:
        return self.run("eosfm", "repro", "--workers", str(workers), *words, code=code)

    def ran(self) -> set[str]:
        """What has run since the last call."""
        file = self.path / ".cache" / "ran"
        if not file.exists():
            return set()
        lines = file.read_text().splitlines()
        file.unlink()
        assert not any(line.endswith(str(self.path)) for line in lines), "not in a clone"
        return {" ".join(line.split()[:2]) for line in lines}

    def edit(self, name: str, before: str, after: str) -> None:
        text = (self.path / name).read_text()
        assert before in text
        (self.path / name).write_text(text.replace(before, after))

    def made(self) -> dict[str, str]:
        """What the pipeline made, and its locks."""
        names = ("joined", "report.txt", "models/a", "models/b", "dvc.lock", "data/dvc.lock")
        return {name: (self.path / name).read_text() for name in names}

    def locks(self) -> list[dict]:
        return [yaml.safe_load((self.path / n).read_text()) for n in ("dvc.lock", "data/dvc.lock")]

    def hang(self, stage: str) -> None:
        """Let a stage hang the first time, and pass when it comes to it again."""
        pause = f'if [ "$1-$2" = {stage} ] && mkdir .cache/hung 2>/dev/null; then sleep 7777; fi\n'
        self.edit("stages.sh", "mkdir -p data", f"{pause}mkdir -p data")

    def wait_for(self, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not (self.path / ".cache" / what).exists():
            if time.monotonic() > end:
                pytest.fail(f"{what} did not come")
            time.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """All that work in this project or a clone of it."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd().startswith(str(self.path)):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def wait_for_silence(self) -> None:
        """Fail if anything still runs after a while."""
        end = time.monotonic() + PATIENCE / 5
        while left := self.processes():
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        else:
            return
        words = [process.cmdline() for process in left]
        for process in left:
            process.send_signal(signal.SIGKILL)
        pytest.fail(f"left running: {words}")


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Iterator[Path]:
    """The pipeline as it is committed, and commands that need no start."""
    with warm_commands(*DVC) as folder:
        Project.commands = folder
        project = Project(tmp_path_factory.mktemp("written") / "project")
        project.write()
        yield project.path


@pytest.fixture(scope="session")
def copy(written):
    """``copy(path)``: the pipeline at another place, in which nothing has run."""
    return lambda path: Project(shutil.copytree(written, path, symlinks=True))


@pytest.fixture
def project(copy, tmp_path):
    return copy(tmp_path / "project")
