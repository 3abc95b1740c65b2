"""Downloads that are killed, and folders that two fetch into: the same bytes in the end.

EOSFM_LONG=1 kills twenty times instead of five.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from itertools import repeat
from pathlib import Path

import pytest

from eosfm.core.closure import ROOT
from eosfm.datasets.native.spec import Archive
from tests.faults.test_archives import tarred, zipped
from tests.faults.test_downloads import files
from tests.fixtures.server import Fault, Server

KILLS = 20 if os.environ.get("EOSFM_LONG") else 5
DATA = random.Random(1).randbytes(150_000)
SLOW = Fault(pace=0.004)
"""A quarter of a megabyte a second."""
EXPECTED = {
    **{f"zip/{n}.bin": DATA[n * 1000 :] for n in range(3)},
    "tar/a.bin": DATA,
    "plain.bin": DATA,
}

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def archives(server: Server) -> list[Archive]:
    """Three archives on a slow server, one without a checksum."""
    named = [(name, data) for name, data in EXPECTED.items() if name.startswith("zip")]
    found = [
        server.describe(zipped(*named, method=0), "/a.zip"),
        server.describe(tarred(("tar/a.bin", DATA)), "/b.tar.gz", checksum=None),
        server.describe(DATA, "/plain.bin", extract=None),
    ]
    for archive in found:
        server.faults[f"/{archive.filename}"] = repeat(SLOW)
    return found


@pytest.fixture
def start(archives: list[Archive], tmp_path: Path) -> Start:
    """``start(user)``: a process that will fetch into a folder that all share, see :func:`go`."""

    def run(user: str) -> subprocess.Popen[str]:
        facts = {
            "archives": [asdict(archive) for archive in archives],
            "root": str(tmp_path / "shared" / "toy"),
            "trusted": str(tmp_path / user),
        }
        (tmp_path / f"{user}.json").write_text(json.dumps(facts))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.fetching_process", tmp_path / f"{user}.json"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    return run


def go(*processes: subprocess.Popen[str]) -> None:
    """Let processes fetch, which have loaded all that they need: none is far ahead."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def wait_for(process: subprocess.Popen[str], folder: Path, more: int) -> None:
    """Wait until a folder holds so many bytes more, or the process has ended, however slow."""
    goal = size_of(folder) + more
    while process.poll() is None and size_of(folder) < goal:
        time.sleep(0.005)


def size_of(folder: Path) -> int:
    """Bytes in files that may go as they are counted."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process that must end well, and give what it said."""
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


def fetched(tmp_path: Path) -> dict[str, bytes]:
    """What lies in the shared folder under the names that promise content."""
    found = files(tmp_path / "shared" / "toy")
    return {
        name: data
        for name, data in found.items()
        if not any(part.startswith(".") for part in name.split("/"))
        and not name.endswith((".part", ".json"))
        and f"{name}.part.json" not in found
    }


def test_killed_at_any_moment_it_goes_on(start: Start, server: Server, tmp_path: Path):
    moments = random.Random(KILLS)
    for number in range(KILLS):
        process = start("one")
        go(process)
        wait_for(process, tmp_path / "shared", moments.randint(0, 400_000 // KILLS))
        process.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3])
        process.communicate(timeout=300)
        for name, data in fetched(tmp_path).items():
            assert name in ("a.zip", "b.tar.gz") or data == EXPECTED[name], name
            assert name not in ("a.zip", "b.tar.gz") or data == server.files[f"/{name}"]
    last = start("one")
    go(last)
    finish(last)
    assert fetched(tmp_path) == EXPECTED
    ranges = [wanted for _, wanted in server.asked if wanted]
    assert len({int(wanted[6:-1]) for wanted in ranges}) > 1, "no run went on with another's bytes"


def test_two_who_share_a_folder_fetch_once(start: Start, server: Server, tmp_path: Path):
    first, second = start("one"), start("two")
    go(first, second)
    said = finish(first) + finish(second)
    assert said.count(f"another process fetches toy to {tmp_path}/shared/toy; waiting") == 1
    assert fetched(tmp_path) == EXPECTED
    assert set(server.count.values()) == {1}
    trusted = [(tmp_path / user / "toy.sha256").read_text() for user in ("one", "two")]
    assert trusted[0] == trusted[1] and "b.tar.gz" in trusted[0]


def test_who_waits_takes_over_from_who_was_killed(start: Start, tmp_path: Path):
    first, second = start("one"), start("two")
    go(first)
    wait_for(first, tmp_path / "shared", 1)
    go(second)
    first.kill()
    first.communicate()
    finish(second)
    assert fetched(tmp_path) == EXPECTED
