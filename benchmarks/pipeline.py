"""What the pipeline costs beside its work: no-op runs, start-up, memory.

python benchmarks/pipeline.py noop     # a no-op `dvc repro` against bare DVC
python benchmarks/pipeline.py startup  # what each stage costs before its work
python benchmarks/pipeline.py clone    # the whole main job in a clean clone
"""

import json
import os
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
    locks = [yaml.safe_load((ROOT / name).read_text()) for name in ("data/dvc.lock", "dvc.lock")]
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
    loads = "import eosfm.cli\nwith eosfm.cli.loading(): import eosfm.training.train"
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
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        start = time.perf_counter()
        subprocess.run(
            ["dvc", "repro"],
            cwd=folder,
            check=True,
            env={**os.environ, "GOMP_SPINCOUNT": "30000", "PYTHONPATH": str(folder)},
        )
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


if __name__ == "__main__":
    app()
