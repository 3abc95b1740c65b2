"""Tiny copies of this project in Git repositories of their own, run by DVC itself."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
import yaml

from eosfm.cluster.warm import PACKAGES
from tests.fixtures.warm import DVC, warm_commands

ROOT = Path(__file__).parents[2]
KEPT = {
    "datasets": ("eurosat", "levircdplus", "xview2"),
    "specialists": ("eurosat_rgb", "levircdplus"),
    "tasks": ("eurosat", "xview2"),
}
FEW = {
    "datasets": ("eurosat",),
    "specialists": ("eurosat_rgb", "eurosat_s2"),
    "tasks": ("eurosat",),
}
"""Where it does not matter which: half as many stages for DVC."""
SIMULATED = {
    "eurosat": {"train": 40, "val": 20, "test": 20},
    "levircdplus": {"train": 3, "val": 1, "test": 2, "size": 128},
    "xview2": {"train": 3, "val": 1, "test": 2},
}

DATA = "data/dvc.yaml"
WATCH = "data/watch/dvc.yaml"
PIPELINES = ("dvc.yaml", DATA, WATCH, "analyses/dvc.yaml")
LOCKS = ("dvc.lock", "data/dvc.lock", "data/watch/dvc.lock")


def bare(name: str) -> str:
    """A stage's name without its file, where that is one of the data's."""
    return name.removeprefix(f"{DATA}:").removeprefix(f"{WATCH}:")


class Project:
    """A copy of the project, and commands run in it.

    Attributes:
        commands: Folder of the commands `python` and `dvc`.
    """

    commands: ClassVar = Path(sys.executable).parent
    _runs: ClassVar = count(1)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trace = path.parent / "trace"
        self.trace.mkdir(exist_ok=True)

    def start(self, *words: str, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            words,
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PATH": f"{self.commands}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(self.path),
                # A stage that was forked has no parent of this name to tell the run by.
                "EOSFM_RUN": f"{next(self._runs)}-{int(time.time())}",
                **env,
            },
        )

    def run(self, *words: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **env)
        out, _ = process.communicate()
        if check and process.returncode:
            pytest.fail(f"{' '.join(words)}\n{out}")
        return subprocess.CompletedProcess(words, process.returncode, out)

    def stages_run(self, output: str) -> set[str]:
        """Names of the stages that DVC says it ran."""
        lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
        return {bare(line.split("'")[1]) for line in lines}

    def lock(self) -> dict:
        locks = [yaml.safe_load((self.path / name).read_text())["stages"] for name in LOCKS]
        return {name: entry for lock in locks for name, entry in lock.items()}

    def params(self) -> dict:
        return yaml.safe_load((self.path / "params.yaml").read_text())

    def set_params(self, **values) -> None:
        """Set parameters by dotted key, with ``__`` for the dot."""
        file = self.path / "params.yaml"
        data = self.params()
        for key, value in values.items():
            *parents, last = key.split("__")
            entry = data
            for parent in parents:
                entry = entry[parent]
            entry[last] = value
        file.write_text(yaml.safe_dump(data, sort_keys=False))

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message)


def tiny_params(kept: dict[str, tuple[str, ...]] = KEPT) -> dict:
    data = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, names in kept.items():
        data[section] = {name: data[section][name] for name in names}
    data["ensemble"] = list(kept["specialists"])
    data["backbone"]["name"] = "test_convnext3"  # one of timm's smallest
    for name, entry in data["datasets"].items():
        entry["simulated"] |= SIMULATED[name]
    for entry in data["specialists"].values():
        if "mini" in entry:
            entry["mini"] = {"batch_size": 4, "steps_per_epoch": 2}
    mini = data["scales"]["mini"]
    mini["train"] |= {"epochs": 2, "steps_per_epoch": 2, "batch_size": 4, "decoder_channels": 16}
    mini["protocol"] |= {
        "label_fraction": 0.5,
        "epochs": 2,
        "steps_per_epoch": 2,
        "batch_size": 4,
        "decoder_channels": 16,
    }
    return data


def copy_files(path: Path, without: tuple[str, ...] = ()) -> None:
    """Copy what Git tracks here or would track, but for names that begin so."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(without):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)


def copy_project(path: Path, kept: dict[str, tuple[str, ...]] = KEPT) -> Project:
    made = ("results/", "analyses/plots/", "metrics.json", *LOCKS)
    copy_files(path, without=("tests/", *made))
    (path / "params.yaml").write_text(yaml.safe_dump(tiny_params(kept), sort_keys=False))
    project = Project(path)
    project.run("git", "init", "-q")
    project.commit("the project")
    return project


def quiet_project(path: Path, kept: dict[str, tuple[str, ...]] = KEPT) -> Project:
    """The tiny project with commands that do nothing, run once: its DAG alone."""
    project = copy_project(path, kept)
    run_nothing(project)
    project.run("dvc", "repro", "dvc.yaml", "analyses/dvc.yaml")
    project.commit("results")
    return project


def run_nothing(project: Project) -> None:
    """Let every stage write where its results go of which parameters they are, and run no code."""
    names = project.params()["datasets"]
    for file in PIPELINES:
        pipeline = yaml.safe_load((project.path / file).read_text())
        for stage, entry in pipeline["stages"].items():
            entry = entry.get("do", entry)
            outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
            paths = [Path(out if isinstance(out, str) else next(iter(out))) for out in outs]
            files = [path if path.suffix else path / "word" for path in paths]
            if stage == "watch":
                files = [Path("data/roots") / f"{name}.json" for name in names]
            told = """echo '{"of": "'$(cksum < params.yaml)'"}'"""
            if stage == "watch":
                told = "echo '{}'"
            entry["cmd"] = [f"mkdir -p {path.parent} && {told} > {path}" for path in files]
        (project.path / file).write_text(yaml.safe_dump(pipeline, sort_keys=False))


@pytest.fixture(scope="session")
def warm() -> Iterator[None]:
    """Let the commands of every project be forked instead of started."""
    with warm_commands(*DVC, *PACKAGES) as folder:
        Project.commands = folder
        yield


@pytest.fixture(scope="session")
def project(warm, tmp_path_factory) -> Project:
    """The tiny project after one whole ``dvc repro``, everything committed."""
    project = copy_project(tmp_path_factory.mktemp("pipeline") / "project")
    done = project.run(
        "dvc",
        "repro",
        PYTHONPATH=f"{ROOT / 'tests' / 'pipeline' / 'trace'}{os.pathsep}{project.path}",
        EOSFM_TRACE=str(project.trace),
    )
    project.first = done.stdout
    project.commit("results")
    return project
