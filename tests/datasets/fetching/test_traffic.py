"""The one line of several downloads, and their end."""

import threading
import time
from itertools import repeat
from pathlib import Path

import pytest

from eosfm.datasets.fetching import fetch as fetching
from eosfm.datasets.fetching.traffic import Stopped, Traffic
from tests.datasets.fetching.test_fetch import BYTES, dataset
from tests.fixtures.server import Fault, Server


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eosfm.core.progress.EVERY", 0.0)


def test_plain_lines_say_how_far_it_is_and_how_long_it_takes(often, capsys):
    with Traffic("toy", {"a": 1_000_000, "b": 1}) as traffic:
        traffic.expect("b", 1_000_000)
        traffic.skip(500_000)
        time.sleep(0.1)
        traffic.receive(500_000)
    lines = capsys.readouterr().err.splitlines()
    last = next(line for line in reversed(lines) if line.strip())
    assert last.startswith("download toy: 1.00M of 2.00M, ") and last.endswith(" left")
    rate = float(last.split(", ")[1].removesuffix("MB/s"))
    assert 1 < rate <= 5, "what was there before is no speed"


def test_short_downloads_say_nothing(capsys):
    with Traffic("toy", {"a": 100}) as traffic:
        traffic.receive(100)
    assert capsys.readouterr().err.strip() == ""


def test_a_stop_ends_a_stalled_reading_at_once(server: Server, tmp_path: Path, monkeypatch):
    archives = [server.describe(BYTES, f"/{n}.zip", extract=None) for n in range(6)]
    for n in range(6):
        server.faults[f"/{n}.zip"] = repeat(Fault(cut=5000, stall=20))

    def stop(futures):
        while len(server.asked) < fetching.CONNECTIONS:
            time.sleep(0.01)
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "as_completed", stop)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetching.fetch(dataset(*archives), tmp_path / "toy", trusted=tmp_path)
    assert time.monotonic() - start < 5
    assert len(server.asked) == fetching.CONNECTIONS
    assert {path.stat().st_size for path in tmp_path.rglob("*.part")} == {5000}


def test_a_stop_ends_waiting():
    with Traffic("toy", {}) as traffic:
        threading.Timer(0.05, traffic.stop).start()
        with pytest.raises(Stopped):
            traffic.wait(60)


def test_one_that_fails_holds_up_no_other(server: Server, tmp_path: Path):
    archives = [server.describe(BYTES, f"/{n}.zip", extract=None) for n in range(9)]
    del server.files["/0.zip"], server.files["/7.zip"]
    with pytest.raises(fetching.EosfmError, match=r"(?s)\d.zip could not .*404.*; \d.zip .*404"):
        fetching.fetch(dataset(*archives), tmp_path / "toy", trusted=tmp_path)
    assert len(list((tmp_path / "toy").glob("*.zip"))) == 7
    server.files |= {"/0.zip": BYTES, "/7.zip": BYTES}
    fetching.fetch(dataset(*archives), tmp_path / "toy", trusted=tmp_path)
    assert server.count == {f"/{n}.zip": 1 + (n in (0, 7)) for n in range(9)}
