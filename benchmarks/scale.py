"""Whether a run at ``scale=full`` takes more memory, or more time a tile, the larger its archives.

    python benchmarks/scale.py [--factors 16,1,4] [--scenes 79]

Runs the stages (see benchmarks/rehearsal.py) on archives of so many times so many scenes, each
with at most 256 open files, and compares what they took, and what ``eosfm plan`` said of them.
The exit status is 1 where a limit is missed.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rehearsal import ROOT, STEPS, Figure, Project, compare, lay_out, show_figures, write_params
from rich.console import Console
from rich.table import Table

OPEN_FILES = 256
MEMORY, TIME = 0.10, 0.20
"""Allowed growth of memory and of time a tile."""
SLACK_S = 2.0
"""Seconds by which a stage's start differs from one run to the next; less growth says nothing."""
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Cost:
    """What one stage took: all its processes, loaders included.

    Attributes:
        tiles: Of the project.
        gigabytes: Most memory at a time: what processes share is counted once, pages of mapped
            files, libraries among them, are not.
        seconds: Wall time.
        busy: Processor time, to which other programs on the machine add little.
    """

    tiles: int
    gigabytes: float
    seconds: float
    busy: float


def main(
    factors: Annotated[
        str, typer.Option(help="How many times the scenes, in any order.")
    ] = "16,1,4",
    scenes: Annotated[int, typer.Option(help="Scenes of the smallest, of 16 tiles each.")] = 79,
    folder: Annotated[Path | None, typer.Option(help="Where to work; on a large disk.")] = None,
) -> None:
    """Rehearse, compare, and say which limits are missed."""
    costs: dict[str, list[Cost]] = {f"{stage}@{item}": [] for stage, item in STEPS}
    figures: list[Figure] = []
    sizes = [int(factor) * scenes for factor in factors.split(",")]
    for size in sizes:
        amounts = {split: max(1, round(share * size)) for split, share in SHARES.items()}
        with tempfile.TemporaryDirectory(dir=folder) as name, lay_out(Path(name), amounts) as made:
            for (stage, item), taken in zip(STEPS, costs.values(), strict=True):
                write_params(made, stored=item == "stored")
                taken.append(measure(made, stage, item))
                print(f"{stage} {item}: {taken[-1]}", flush=True)
            figures += compare(made)
            shards = len(list(made.path.glob("data/tiles/*/*/images-*.npy")))
            print(f"{made.tiles:,} tiles in {shards} shards of images")
    for taken in costs.values():
        taken.sort(key=lambda cost: cost.tiles)
    missed = [*_costs(costs), *show_figures(figures)]
    print("\n".join(missed) or "every limit is kept")
    raise typer.Exit(bool(missed))


def measure(project: Project, stage: str, item: str) -> Cost:
    """Run one stage in a process of its own."""
    words = [sys.executable, str(ROOT / "benchmarks/rehearsal.py"), stage, *filter(None, [item])]
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        words, cwd=project.path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES)),
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(SAMPLE_S)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"{stage} {item} failed: {process.stderr.read() if process.stderr else ''}")
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(project.tiles, peak / 1e9, seconds, busy)


def _memory(pid: int) -> int:
    """Bytes of a process and all below it: of what they share, each has its part.

    Pages of mapped files are left out: they are the system's, which takes them back at any time.
    """
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            sizes = dict(line.split(":") for line in lines[1:])
            total += sum(1024 * int(sizes[name].split()[0]) for name in ("Pss_Anon", "Pss_Shmem"))
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return 0  # one ended meanwhile; the next sample sees the others
    return total


def _costs(costs: dict[str, list[Cost]]) -> list[str]:
    """Print what stages took, and name those that grow."""
    tiles = [f"{cost.tiles:,}" for cost in next(iter(costs.values()))]
    memory = Table("peak memory, GB", *(f"{count} tiles" for count in tiles), "last / first")
    speed = Table("ms of processor a tile more", *(f"to {count}" for count in tiles[1:]), "ratio",
                  "wall s in all")  # fmt: skip
    missed = []
    for step, taken in costs.items():
        grown = taken[-1].gigabytes / taken[0].gigabytes
        memory.add_row(step, *(f"{cost.gigabytes:.2f}" for cost in taken), f"{grown:.2f}")
        if grown > 1 + MEMORY:
            missed.append(f"{step}: memory grows by {grown - 1:.0%} (allowed {MEMORY:.0%})")
        rates = [
            (after.busy - before.busy) / (after.tiles - before.tiles)
            for before, after in pairwise(taken)
        ]
        ratio = rates[-1] / rates[0] if rates and rates[0] > 0 else float("nan")
        wall = " ".join(f"{cost.seconds:.0f}" for cost in taken)
        speed.add_row(step, *(f"{1e3 * rate:.2f}" for rate in rates), f"{ratio:.2f}", wall)
        if len(rates) > 1:
            more = taken[-1].tiles - taken[-2].tiles
            excess = more * (rates[-1] - (1 + TIME) * max(rates[0], 0.0))
            if excess > SLACK_S:
                missed.append(f"{step}: time a tile grows {ratio:.2f} times (allowed {1 + TIME})")
    Console().print(memory, speed)
    return missed


if __name__ == "__main__":
    typer.run(main)
