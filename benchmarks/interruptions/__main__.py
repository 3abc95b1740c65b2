"""Stages and tools that are stopped at random moments: the same bytes in the end, nothing left.

python -m benchmarks.interruptions                        # all of them, twenty moments each; hours
python -m benchmarks.interruptions train predict --moments 5
python -m benchmarks.interruptions --project FOLDER       # a small project of an earlier call

Each is stopped by SIGKILL, SIGTERM and Ctrl-C in turn, at moments drawn over the time it takes
undisturbed, and then run again. Stages run on the tests' small project, as DVC runs them: what they
make is removed first.
"""

import multiprocessing
import os
import random
import runpy
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import file_digest
from importlib import import_module
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.interruptions.works import (
    ITEMS,
    STAGES,
    Work,
    as_work,
    fetch,
    repro,
    tool,
    write_scenes,
)
from tests.fixtures.server import serving
from tests.pipeline.conftest import KEPT, copy_project

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FORK = multiprocessing.get_context("fork")
SPENT = ("energy.json", "live/metrics.json")
"""Ends of the files that tell energy and time, which differ from run to run."""
ASIDE = (".git", ".dvc", "__pycache__", "logs")
"""Folders of other programs, and of what a run printed."""
INTERVALS = {"eosfm.training.callbacks": "SAVE_SECONDS", "eosfm.evaluation.checkpoint": "SECONDS"}
"""What says how often checkpoints are written: a minute is longer than these runs take."""
OFTEN = 0.1


@dataclass
class Counts:
    """What came of it: how often it was stopped, and how often which fault was seen.

    Attributes:
        seconds: What it takes undisturbed.
        stopped: Interruptions, each followed by a whole run.
        resumed: Those that left something to go on from.
        torn: Files found after an interruption under their own name with other bytes.
        different: Files with other bytes at the end, the names of the first in ``names``.
        left: Files and processes that were still there.
    """

    seconds: float = 0.0
    stopped: int = 0
    resumed: int = 0
    torn: int = 0
    different: int = 0
    left: int = 0
    names: list[str] = field(default_factory=list)

    @property
    def figures(self) -> tuple[int, ...]:
        """All that was counted, in the table's order."""
        return self.stopped, self.resumed, self.torn, self.different, self.left

    def note(self, what: str, found: Sequence[str]) -> None:
        """Count some faults of a kind."""
        setattr(self, what, getattr(self, what) + len(found))
        self.names += [f"{what}: {name}" for name in found[:3]]


def digests(work: Work) -> dict[str, str]:
    """SHA-256 of each file that was made under its own name, and tells no energy."""
    found = {}
    for name in work.made:
        path = work.folder / name
        for file in [path] if path.is_file() else filter(Path.is_file, path.rglob("*")):
            key = str(file.relative_to(work.folder))
            if not (key.endswith((*SPENT, ".part")) or file.name.startswith(".")):
                with file.open("rb") as opened:
                    found[key] = file_digest(opened, "sha256").hexdigest()
    return found


def names_of(folder: Path) -> set[str]:
    files = (file.relative_to(folder) for file in folder.rglob("*") if not file.is_dir())
    return {str(file) for file in files if not set(ASIDE).intersection(file.parts)}


def remove(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def begin(work: Work, loaded: Path | None) -> None:
    """In a fork, be the command, in a session of its own; tell which modules it loaded."""
    os.setsid()
    os.chdir(work.folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log = os.open(work.folder.parent / f"{work.title}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if not work.forked:
        os.environ["PYTHONPATH"] = str(work.folder)
        os.execvp(work.words[0], work.words)
    sys.argv = list(work.words)
    try:
        runpy.run_path(work.words[0], run_name="__main__")
    finally:
        if loaded is not None:
            loaded.write_text("\n".join(sys.modules))


def run_whole(work: Work, loaded: Path | None = None) -> float:
    """Run it undisturbed, and say how long it took."""
    remove(work.folder, work.removed)
    process = FORK.Process(target=begin, args=(work, loaded))
    start = time.perf_counter()
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work.title} failed; see {work.folder.parent / work.title}.log")
    return time.perf_counter() - start


def stop(work: Work, moment: float, kind: signal.Signals) -> bool:
    """Begin it and stop it at a moment; whether it was stopped before its end."""
    remove(work.folder, work.removed)
    process = FORK.Process(target=begin, args=(work, None))
    process.start()
    while os.getpgid(process.pid) != process.pid:
        time.sleep(0.001)
    end = time.monotonic() + moment
    while process.exitcode is None and time.monotonic() < end:  # `join` would wait for one that has
        time.sleep(0.005)  # executed another program to its end
    if process.exitcode is not None:
        return False
    if kind == signal.SIGINT:  # as a terminal does
        os.killpg(process.pid, kind)
    else:
        os.kill(process.pid, kind)
    process.join()
    return process.exitcode != 0


def wait_for_silence(folder: Path) -> list[str]:
    """Processes that still work in a folder after a while, which are ended."""
    end = time.monotonic() + 30
    while left := working_in(folder):
        if time.monotonic() > end:
            words = [" ".join(process.cmdline()) for process in left]
            for process in left:
                process.kill()
            return words
        time.sleep(0.05)
    return []


def working_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != "zombie" and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def load_as(work: Work) -> None:
    """Have in this process what the command loads, once it has been run in a fork."""
    if not work.forked:
        return
    loaded = work.folder.parent / "modules"
    run_whole(work, loaded)
    for name in loaded.read_text().splitlines():
        with suppress(ImportError):  # made while it ran
            import_module(name)
    for module, name in INTERVALS.items():
        if module in sys.modules:
            setattr(sys.modules[module], name, OFTEN)


def interrupt(work: Work, moments: int, seed: int) -> Counts:
    """Stop a command at random moments, and compare what another run of it then makes."""
    draw, counts = random.Random(f"{seed} {work.title}"), Counts()
    remove(work.folder, work.fresh)
    load_as(work)
    remove(work.folder, work.fresh)
    counts.seconds = run_whole(work)
    wanted, there = digests(work), names_of(work.folder)
    if not wanted:
        raise SystemExit(f"{work.title} made nothing")
    for _ in range(3 * moments):  # one that comes to its end before the moment does not count
        if counts.stopped == moments:
            break
        remove(work.folder, work.fresh)
        if not stop(work, draw.uniform(0, counts.seconds), SIGNALS[counts.stopped % 3]):
            continue
        counts.stopped += 1
        counts.resumed += bool(work.kept) and any(work.folder.glob(work.kept))
        torn = {name for name, digest in digests(work).items() if wanted.get(name) != digest}
        counts.note("torn", sorted(name for name in torn if "/live/" not in name))
        run_whole(work)
        counts.note("left", wait_for_silence(work.folder))
        made = digests(work)
        different = [name for name in wanted | made if wanted.get(name) != made.get(name)]
        counts.note("different", sorted(different))
        counts.note("left", sorted(names_of(work.folder) - there))
        print(work.title, *counts.figures, flush=True)
    return counts


def small_project(project: Path) -> None:
    """Make the tests' small project, and run all of its stages."""
    copied = copy_project(project)
    for stage in STAGES:
        for number, item in enumerate(KEPT.get(ITEMS.get(stage, ""), [""])):
            (load_as if number == 0 else run_whole)(as_work(project, stage, item))
            print(stage, item, flush=True)
    write_scenes(project)
    copied.run("dvc", "commit", "--force", "dvc.yaml", "data/dvc.yaml")  # or `watch` fears for them


OTHERS = ("fetch", "predict", "eosfm repro")


def main(
    names: Annotated[list[str] | None, typer.Argument()] = None,
    moments: int = 20,
    project: Path | None = None,
    seed: int = 0,
) -> None:
    """Stop the named stages and tools, or all, at so many MOMENTS each."""
    chosen = names or [*STAGES, *OTHERS]
    with tempfile.TemporaryDirectory() as scratch, serving() as server:
        place = Path(scratch)
        small = project or place / "small" / "project"
        if not small.exists():
            small_project(small)
        make: dict[str, Callable[[], Work]] = {
            "fetch": lambda: fetch(place / "fetch", server),
            "predict": lambda: tool(small, "predict"),
            "eosfm repro": lambda: repro(small, place / "repro"),
        }
        works = [as_work(small, name, item) for name, item in STAGES.items() if name in chosen]
        works += [make[name]() for name in OTHERS if name in chosen]
        table = Table("what", "seconds", "stopped", "to go on from", "torn", "differ", "left")
        faults = []
        for work in works:
            counts = interrupt(work, moments, seed)
            table.add_row(work.title, f"{counts.seconds:.1f}", *map(str, counts.figures))
            faults += [f"{work.title}: {name}" for name in counts.names]
    Console().print(table)
    print(*faults, sep="\n")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    typer.run(main)
