"""Stages and tools on disks that are full or may not be written to, and with little memory.

unshare -rm python -m benchmarks.interruptions.shortages --project FOLDER
unshare -rm python -m benchmarks.interruptions.shortages train predict --project FOLDER

FOLDER is a small project that ``python -m benchmarks.interruptions`` has made. Each runs in an
overlay over it, whose upper layer is a file system in memory: of a few kilobytes, of half and of
nine tenths of what it writes undisturbed, or one that is read-only. Low memory is a bound on the
address space beyond what the imports have taken. Expected: one line, exit status 1, no file under
its own name that an undisturbed run would not have made, nothing beside, and the same bytes once
there is room.
"""

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.interruptions.__main__ import (
    FORK,
    begin,
    digests,
    load_as,
    names_of,
    remove,
)
from benchmarks.interruptions.works import SCRATCH, STAGES, TOOLS, Work, as_work, tool

PAGE = os.sysconf("SC_PAGE_SIZE")
ROOMY = 2**31
SHARES = {"no room": 0.0, "half the room": 0.5, "nine tenths": 0.9}
MEMORY_MIB = {"64 MiB": 64, "256 MiB": 256}


@dataclass(frozen=True)
class Seen:
    """What came of a shortage.

    Attributes:
        status: Exit status; negative where a signal ended it.
        said: Lines on standard error that are no warnings.
        torn: Files under their own name with other bytes than those of an undisturbed run.
        left: Files that an undisturbed run does not leave.
        different: Files with other bytes after the second run, with room.
    """

    status: int
    said: list[str]
    torn: list[str]
    left: list[str]
    different: list[str]

    @property
    def fine(self) -> bool:
        """Nothing wrong came in, and what was said is one line; at 127, of the C library's."""
        told = self.status in (0, 127) or (self.status == 1 and len(self.said) == 1)
        return told and not (self.torn or self.left or self.different)


class Disk:
    """An overlay over a project, on a file system in memory of a given size."""

    def __init__(self, lower: Path, place: Path) -> None:
        self.folder = place / "project"
        self._lower, self._memory = lower, place / "memory"
        self.folder.mkdir(exist_ok=True)
        self._memory.mkdir(exist_ok=True)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Anew, with much room."""
        _mount("-t", "tmpfs", "-o", f"size={ROOMY}", "none", str(self._memory))
        try:
            upper, work = self._memory / "upper", self._memory / "work"
            upper.mkdir()
            work.mkdir()
            layers = f"lowerdir={self._lower},upperdir={upper},workdir={work}"
            _mount("-t", "overlay", "-o", layers, "overlay", str(self.folder))
            try:
                yield
            finally:
                _run("umount", str(self.folder))
        finally:
            _run("umount", str(self._memory))

    def used(self) -> int:
        """Bytes that are written."""
        found = os.statvfs(self._memory)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def resize(self, size: int) -> None:
        """Leave so much room in all."""
        _mount("-o", f"remount,size={max(size, PAGE)}", str(self._memory))

    def allow_writing(self, allowed: bool) -> None:
        """Whether files may be written."""
        _mount("-o", f"remount,{'rw' if allowed else 'ro'}", str(self.folder))


def _mount(*words: str) -> None:
    _run("mount", *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


def bounded(work: Work, mebibytes: int | None) -> None:
    """In a fork, be the command, with so much memory more than it has."""
    if mebibytes is not None:
        limit = psutil.Process().memory_info().vms + mebibytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    begin(work, None)


def run(
    work: Work, mebibytes: int | None = None, used: Callable[[], int] = lambda: 0
) -> tuple[int, list[str], int]:
    """Run it once: its exit status, the lines that it says, and the most that was used."""
    log = work.folder.parent / f"{work.title}.log"
    log.unlink(missing_ok=True)
    process = FORK.Process(target=bounded, args=(work, mebibytes))
    process.start()
    most = used()
    while process.exitcode is None:
        process.join(0.01)
        most = max(most, used())
    lines = log.read_text(errors="replace").splitlines()
    return process.exitcode, lines, most


def told(lines: list[str]) -> list[str]:
    """From the line of a fault, or the start of a traceback, on."""
    for number, line in enumerate(lines):
        if line.startswith(("error: ", "Traceback", "Process ")):
            return lines[number:]
    return []


def left_by(work: Work) -> set[str]:
    """Its files, but for whole ones to go on from."""
    names = names_of(work.folder)
    kept = {name for name in names if name.startswith(SCRATCH) and name[-5:] != ".part"}
    if work.kept:
        kept.update(str(path.relative_to(work.folder)) for path in work.folder.glob(work.kept))
    return names - kept


def observe(
    disk: Disk, work: Work, wanted: dict[str, str], there: set[str],
    spoil: Callable[[], int | None],
) -> Seen:  # fmt: skip
    """Run it in a shortage, and again without."""
    with disk.mounted():
        remove(work.folder, (*work.fresh, *work.removed))
        status, lines, _ = run(work, spoil())
        made, left = digests(work), left_by(work) - there
        disk.allow_writing(True)
        disk.resize(ROOMY)
        remove(work.folder, work.removed)
        run(work)
        again = digests(work)
        if status not in (0, 1):  # what a process leaves that was ended, the next removes
            left = left_by(work) - there
    torn = [name for name in made if made[name] != wanted.get(name) and "/live/" not in name]
    different = [name for name in wanted | again if wanted.get(name) != again.get(name)]
    return Seen(status, told(lines), torn, sorted(left), different)


def shortages(disk: Disk, written: int) -> dict[str, Callable[[], int | None]]:
    """By name, what is done to a disk, and how much memory is left."""

    def full(share: float) -> Callable[[], None]:
        return lambda: disk.resize(disk.used() + int(share * written))

    found: dict[str, Callable[[], int | None]] = {name: full(s) for name, s in SHARES.items()}
    found["read-only"] = lambda: disk.allow_writing(False)
    return found | {name: lambda size=size: size for name, size in MEMORY_MIB.items()}


def try_all(disk: Disk, work: Work, table: Table) -> bool:
    """Whether a command bears all shortages."""
    work = replace(work, folder=disk.folder)
    with disk.mounted():
        remove(work.folder, (*work.fresh, *work.removed))
        load_as(work)
        remove(work.folder, (*work.fresh, *work.removed))
        before = disk.used()
        status, lines, most = run(work, used=disk.used)
        if status:
            raise SystemExit("\n".join(lines))
        wanted, there = digests(work), names_of(work.folder)
    fine = True
    for name, spoil in shortages(disk, most - before).items():
        seen = observe(disk, work, wanted, there, spoil)
        fine &= seen.fine
        table.add_row(work.title, name, str(seen.status), "" if seen.fine else "!", *seen.said[:1])
        print(work.title, name, seen, flush=True)
    return fine


def main(
    project: Annotated[Path, typer.Option()],
    names: Annotated[list[str] | None, typer.Argument()] = None,
) -> None:
    """Try the named stages and tools, or all, in each shortage."""
    chosen = names or [*STAGES, *TOOLS]
    table = Table("what", "shortage", "status", "wrong", "line")
    with tempfile.TemporaryDirectory() as scratch:
        disk = Disk(project, Path(scratch))
        works = [as_work(project, name, item) for name, item in STAGES.items() if name in chosen]
        works += [tool(project, name) for name in TOOLS if name in chosen]
        fine = [try_all(disk, work, table) for work in works]
    Console(width=200).print(table)
    raise SystemExit(not all(fine))


if __name__ == "__main__":
    typer.run(main)
