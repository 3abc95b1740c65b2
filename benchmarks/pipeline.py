"""What the pipeline costs beside its work: no-op runs, start-up, memory.

python benchmarks/pipeline.py noop     # a no-op `dvc repro` against bare DVC
python benchmarks/pipeline.py startup  # what each stage costs before its work
python benchmarks/pipeline.py clone    # the whole main job in a clean clone
python benchmarks/pipeline.py repro    # the same by `eosfm repro`, against `dvc repro`
python benchmarks/pipeline.py kills    # the same with workers killed at random moments
"""

import hashlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SAME = ("data/raw", "data/tiles", "data/features", "models")
"""What any run of the pipeline makes to the byte; the rest holds energy and times."""
LOCKS = ("data/watch/dvc.lock", "data/dvc.lock", "dvc.lock")
WORK = ("train", "features", "evaluate", "baseline")
app = typer.Typer(add_completion=False)


def timed(folder: Path, *words: str) -> float:
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def lone_stages(locked: dict) -> dict:
    """As many stages, each with one output and nothing else."""
    return {f"s{i}": {"cmd": f"echo {i} > o{i}", "outs": [f"o{i}"]} for i, _ in enumerate(locked)}


def same_graph(locked: dict) -> dict:
    """The pipeline's own stages, dependencies, parameters and outputs, with trivial commands."""
    stages = {}
    wanted = {dep["path"] for stage in locked.values() for dep in stage.get("deps", [])}
    for name, stage in locked.items():
        words = []
        for out in stage["outs"]:
            folder = out.get("hash") == "md5" and out["md5"].endswith(".dir")
            inside = sorted(path for path in wanted if path.startswith(f"{out['path']}/"))
            for file in (inside or [f"{out['path']}/file"]) if folder else [out["path"]]:
                words.append(f"mkdir -p $(dirname {file}) && echo {name} > {file}")
        stages[name.replace("@", "-")] = {
            "cmd": " && ".join(words),
            "deps": [dep["path"] for dep in stage.get("deps", [])],
            "params": [key for keys in stage.get("params", {}).values() for key in keys],
            "outs": [out["path"] for out in stage["outs"]],
        }
    return stages


def lay_out(folder: Path, stages: dict) -> Path:
    """A DVC project with these stages, this one's code and parameters, run once."""
    tracked = subprocess.run(
        ["git", "ls-files", "stages", "eosfm", "params.yaml"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for name in tracked:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=folder, check=True)
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    timed(folder, "dvc", "repro")
    return folder


@app.command()
def noop(rounds: int = 5) -> None:
    """Time `dvc repro` with nothing to do: here, on as many lone stages, on the same graph."""
    locks = [yaml.safe_load((ROOT / name).read_text()) for name in LOCKS]
    locked = {name: entry for lock in locks for name, entry in lock["stages"].items()}
    with tempfile.TemporaryDirectory() as name:
        folders = {"this pipeline": ROOT}
        for title, make in (("lone stages", lone_stages), ("same graph", same_graph)):
            folder = Path(name) / make.__name__
            folder.mkdir()
            folders[title] = lay_out(folder, make(locked))
        times: dict[str, list[float]] = {title: [] for title in folders}
        for _ in range(rounds):
            for title, folder in folders.items():
                times[title].append(timed(folder, "dvc", "repro"))
    ours = statistics.median(times["this pipeline"])
    table = Table(f"no-op dvc repro, {len(locked)} stages", "seconds", "ours against it")
    for title, seconds in times.items():
        median = statistics.median(seconds)
        table.add_row(title, f"{median:.2f}", f"{ours / median:.2f}")
    Console().print(table)


@app.command()
def startup(rounds: int = 3) -> None:
    """Time each stage up to the point where it knows its arguments: Python and its imports."""
    torch_alone = "import torch"
    commands = {torch_alone: [sys.executable, "-c", torch_alone]}
    for stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]:
        commands[stage] = [sys.executable, f"stages/{stage}.py", "--help"]
    # What train loads within its meter.
    loads = (
        "import eosfm.cli, eosfm.core.loading as l\nwith l.loading(): import eosfm.training.train"
    )
    commands["train, once it runs"] = [sys.executable, "-c", loads]
    table = Table("stage", "wall s", "user + sys s", "against torch")
    alone = 0.0
    for title, words in commands.items():
        wall, busy = zip(*(spent(words) for _ in range(rounds)), strict=True)
        alone = alone or min(busy)
        table.add_row(title, f"{min(wall):.2f}", f"{min(busy):.2f}", f"{min(busy) / alone:.2f}")
    Console().print(table)


def spent(words: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a command run in this project."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = timed(ROOT, *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@app.command()
def clone(folder: Path | None = None) -> None:
    """Clone the committed state, run the main job there, and say where the time went.

    The clone stays where a FOLDER for it is named.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = folder or Path(name) / "clone"
        start = time.perf_counter()
        end_well(in_clone(folder, "dvc", "repro"))
        wall = time.perf_counter() - start
        records = [json.loads(p.read_text()) for p in (folder / "results").rglob("energy.json")]
    table = Table("stage", "items", "seconds", "share", "peak GiB")
    for stage in dict.fromkeys(record["stage"] for record in records):
        own = [record for record in records if record["stage"] == stage]
        seconds = sum(record["seconds"] for record in own)
        peak = max(record["peak_memory_gib"] for record in own)
        table.add_row(
            stage, str(len(own)), f"{seconds:.0f}", f"{seconds / wall:.1%}", f"{peak:.2f}"
        )
    Console().print(table)
    work = sum(record["seconds"] for record in records if record["stage"] in WORK)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"wall {wall:.0f} s; outside training, features, evaluation and baselines "
        f"{1 - work / wall:.1%} (imports before a stage's clock starts included); "
        f"peak memory of any process {children:.2f} GiB"
    )


@app.command()
def repro(workers: int = 2, keep: Path | None = None, small: bool = False) -> None:
    """Run the main job by `dvc repro` and by `eosfm repro`, each in a clean clone; compare both.

    The clones stay where a folder to KEEP them is named; SMALL ones are the tests' own project.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        seconds, made = [], []
        for title, words in (
            ("dvc", ("dvc", "repro")),
            ("eosfm", ("eosfm", "repro", "--workers", str(workers))),
        ):
            start = time.perf_counter()
            end_well(in_clone(folder / title, *words, small=small))
            seconds.append(time.perf_counter() - start)
            made.append(digests(folder / title))
        plain, ours = seconds
        print(f"dvc repro {plain:.0f} s, eosfm repro {ours:.0f} s: {ours / plain:.2f}")
        say_differences(*made)
        say_rest(folder / "eosfm")


@app.command()
def kills(
    reference: Path,
    moments: int = 10,
    minutes: float = 25,
    workers: int = 2,
    small: bool = False,
) -> None:
    """Kill a worker at random MOMENTS of a run of so many MINUTES; compare with a whole clone.

    REFERENCE is such a clone, of the same commit, of `repro --keep`, and as SMALL.
    """
    import psutil

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        process = in_clone(folder, "eosfm", "repro", "--workers", str(workers), small=small)
        start, killed = time.perf_counter(), 0
        for moment in sorted(random.uniform(0, 60 * minutes) for _ in range(moments)):
            while process.poll() is None and time.perf_counter() < start + moment:
                time.sleep(0.1)
            if process.poll() is not None:
                break
            children = psutil.Process(process.pid).children()
            busy = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
            if busy:
                victim = random.choice(busy)
                at = time.perf_counter() - start
                below = [" ".join(child.cmdline()) for child in victim.children()]
                stages = sum("cluster/shell.py" in words for words in below)
                print(f"{at:.0f} s: kill {victim.pid}, {stages} stage", flush=True)
                victim.kill()
                killed += 1
        end_well(process)
        print(f"{time.perf_counter() - start:.0f} s with {killed} workers killed")
        say_differences(digests(reference), digests(folder))
        say_rest(folder)


def in_clone(folder: Path, *words: str, small: bool = False) -> "subprocess.Popen[bytes]":
    """Start a command in a clone of the committed state, or in the tests' small project."""
    if small:
        from tests.pipeline.conftest import copy_project

        copy_project(folder)
    else:
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    environment = {"GOMP_SPINCOUNT": "30000", "PYTHONPATH": str(folder)}
    return subprocess.Popen(words, cwd=folder, env={**os.environ, **environment})


def end_well(process: "subprocess.Popen[bytes]") -> None:
    if process.wait():
        raise SystemExit(f"{process.args} failed")


def digests(folder: Path) -> dict[str, str]:
    """MD5 of each file that must be the same in every run; the card tells what it took."""
    files = [file for name in SAME for file in (folder / name).rglob("*") if file.is_file()]
    files = [file for file in files if file != folder / "models" / "eosfm.md"]
    return {
        str(file.relative_to(folder)): hashlib.md5(file.read_bytes()).hexdigest() for file in files
    }


def say_differences(one: dict[str, str], other: dict[str, str]) -> None:
    different = sorted(name for name in one | other if one.get(name) != other.get(name))
    print(f"{len(one)} files, {len(different)} differ {different[:5] or ''}")


def say_rest(folder: Path) -> None:
    """Say what a plain `dvc repro` still runs."""
    process = subprocess.run(
        ["dvc", "repro"], cwd=folder, check=True, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    ran = [line for line in process.stdout.splitlines() if line.startswith("Running stage")]
    print(f"dvc repro afterwards: {ran}")


if __name__ == "__main__":
    app()
