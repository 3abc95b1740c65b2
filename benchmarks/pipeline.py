"""What the pipeline costs beside its work: no-op runs, start-up, memory.

python benchmarks/pipeline.py noop     # a no-op `dvc repro` against bare DVC
python benchmarks/pipeline.py clone    # the whole main job in a clean clone
"""

import json
import os
import resource
import statistics
import subprocess
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


@app.command()
def noop(rounds: int = 5) -> None:
    """Time `dvc repro` with nothing to do, here and on as many trivial stages."""
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    with tempfile.TemporaryDirectory() as name:
        bare = Path(name)
        subprocess.run(["git", "init", "-q"], cwd=bare, check=True)
        subprocess.run(["dvc", "init", "-q"], cwd=bare, check=True)
        trivial = {
            f"s{i}": {"cmd": f"echo {i} > o{i}", "outs": [f"o{i}"]} for i in range(len(stages))
        }
        (bare / "dvc.yaml").write_text(yaml.safe_dump({"stages": trivial}))
        timed(bare, "dvc", "repro")
        pairs = [(timed(ROOT, "dvc", "repro"), timed(bare, "dvc", "repro")) for _ in range(rounds)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"no-op dvc repro, {len(stages)} stages, median of {rounds}: {ours:.2f} s, "
        f"bare DVC {theirs:.2f} s, ratio {ours / theirs:.2f}"
    )


@app.command()
def clone() -> None:
    """Clone the committed state, run the main job there, and say where the time went."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        start = time.perf_counter()
        subprocess.run(
            ["dvc", "repro"],
            cwd=folder,
            check=True,
            env={**os.environ, "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(folder)},
        )
        wall = time.perf_counter() - start
        records = [json.loads(p.read_text()) for p in (folder / "results/energy").glob("*.json")]
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
