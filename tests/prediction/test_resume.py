"""A prediction that is stopped goes on where it was, and ends as if it had not been."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.prediction import maps
from eosfm.prediction import rows as rows_module
from eosfm.prediction.cut import Cut
from eosfm.prediction.embed import embed
from eosfm.prediction.predict import predict
from eosfm.prediction.rows import Rows
from eosfm.prediction.scene import ReadOptions
from tests.prediction.test_predict import SMALL

OVERLAPPING = Cut(window=64, overlap=32, device="cpu")
ROUNDS = """
import os, signal, sys, time
from pathlib import Path
from eosfm.prediction import maps
from eosfm.prediction.cut import Cut
from eosfm.prediction.scene import ReadOptions
from eosfm.prediction.predict import predict

task, artifact, scene, out = sys.argv[1:]

def rows():
    return len(list(Path(out).parent.glob(f".{Path(out).name}.*.rows/*.npz")))

def make():
    predict(Path(task), Path(artifact), [scene], Path(out), ReadOptions(), Cut(64, 32, "cpu"), True)

def two_rows_and_no_more(*args, pauses=iter((0, 0, 600))):
    time.sleep(next(pauses))
    return finished(*args)

finished = maps.finished
for wanted, more in ((0, 0.1), (1, 0), (2, 0.02)):
    child = os.fork()  # before torch has any threads
    if not child:
        maps.finished = two_rows_and_no_more
        make()
    while rows() < wanted:
        time.sleep(0.002)
    time.sleep(more)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print(rows())
make()
"""
"""Killed three times, each after so many rows and seconds, then not; eight rows in all."""


@pytest.fixture
def run(fitted_file, artifact, tmp_path):
    def call(task, scenes, out="map.tif", cut=OVERLAPPING, **more):
        path = tmp_path / out
        predict(fitted_file(task)[0], artifact, scenes, path, ReadOptions(), cut, **more)
        return path

    return call


@pytest.fixture
def scene(write_scene, mosaic):
    return write_scene(np.tile(mosaic[0], (1, 3, 1)))


def kept(tmp_path):
    return sorted(path.name for path in tmp_path.glob(".*.rows/*.npz"))


def stop_at(monkeypatch, number, what=KeyboardInterrupt):
    """Let the strips of so many rows be finished, and no more."""
    calls, finished = [], maps.finished

    def stopped(*args):
        calls.append(args)
        if len(calls) > number:
            raise what("stopped")
        return finished(*args)

    monkeypatch.setattr(maps, "finished", stopped)
    return calls


@pytest.mark.parametrize("number", [1, 7])
def test_rows_that_are_finished_are_not_made_again(run, scene, monkeypatch, tmp_path, number):
    expected = run("segmentation", [scene], "whole.tif", probabilities=True).read_bytes()
    with monkeypatch.context() as patch:
        stop_at(patch, number)
        with pytest.raises(KeyboardInterrupt):
            run("segmentation", [scene], probabilities=True)
    assert kept(tmp_path) == [f"{n:06}.npz" for n in range(number)]
    assert not (tmp_path / "map.tif").exists()
    calls = stop_at(monkeypatch, 100)
    assert run("segmentation", [scene], probabilities=True).read_bytes() == expected
    assert len(calls) == 8 - number
    assert not list(tmp_path.glob(".*"))


def test_rows_go_on_however_the_path_of_the_scene_is_written(run, scene, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run("segmentation", [scene])
    monkeypatch.chdir(Path(scene).parent)
    calls = stop_at(monkeypatch, 100)
    run("segmentation", [Path(scene).name])
    assert len(calls) == 8 - 3


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ("option", {"probabilities": True}),
        ("window", {"cut": SMALL}),
        ("task", {"task": "regression"}),
        ("scene", {}),
        ("scene of the same date", {}),
    ],
)
def test_rows_of_another_scene_task_or_option_are_not_used(
    run, scene, write_scene, mosaic, monkeypatch, tmp_path, change, options
):
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            run("segmentation", [scene])
    assert len(kept(tmp_path)) == 3
    if change.startswith("scene"):
        before = Path(scene).stat()
        scene = write_scene(np.tile(mosaic[0][:, ::-1], (1, 3, 1)))  # of the same name and size
        assert Path(scene).stat().st_size == before.st_size
        if change == "scene of the same date":
            os.utime(scene, ns=(before.st_atime_ns, before.st_mtime_ns))
    options = {"task": "segmentation", "scenes": [scene], **options}
    found = run(**options).read_bytes()
    assert not list(tmp_path.glob(".*"))
    assert run(out="fresh.tif", **options).read_bytes() == found


def test_a_fault_on_the_way_keeps_what_is_finished(run, scene, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        stop_at(patch, 2, OSError)
        with pytest.raises(OSError, match="stopped"):
            run("segmentation", [scene])
    assert len(kept(tmp_path)) == 2


def test_a_damaged_row_is_one_line(tmp_path):
    rows = Rows(tmp_path / "map.tif", Path(rows_module.__file__), 1, "x")
    rows.keep(0, {"values": np.arange(5)})
    (file,) = rows.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(EosfmError, match="is damaged; remove"):
        list(rows.read())


def test_what_another_process_with_the_same_output_removed_is_no_empty_map(
    run, scene, monkeypatch, tmp_path
):
    """The first to end takes the rows of both away: the second must not write what is left."""
    whole, finished, calls = run("segmentation", [scene], "whole.tif"), maps.finished, []

    def other_ends_before_the_last(*args):
        calls.append(args)
        if len(calls) == 8:
            whole.replace(tmp_path / "map.tif")
            for folder in tmp_path.glob(".*.rows"):
                shutil.rmtree(folder)
        return finished(*args)

    expected = whole.read_bytes()
    monkeypatch.setattr(maps, "finished", other_ends_before_the_last)
    with pytest.raises(EosfmError, match=r"map\.tif is written by another process too"):
        run("segmentation", [scene])
    assert (tmp_path / "map.tif").read_bytes() == expected


def test_rows_of_another_number_of_cores_are_not_used(tmp_path, monkeypatch):
    """Sums of other threads differ in their last digits, and the promise is the same bytes."""
    first = Rows(tmp_path / "map.tif", Path(rows_module.__file__), 2)
    first.keep(0, {"values": np.zeros(1)})
    monkeypatch.setattr(rows_module, "cores", lambda: 97)
    assert Rows(tmp_path / "map.tif", Path(rows_module.__file__), 2).done() == 0
    assert not first.folder.exists()


def test_rows_of_an_output_with_signs_of_patterns_are_its_own(tmp_path):
    code = Path(rows_module.__file__)
    other = Rows(tmp_path / "map1.tif", code, 1, "x")
    other.keep(0, {"values": np.arange(5)})
    Rows(tmp_path / "map[0-9].tif", code, 1, "y")
    assert other.done() == 1


@contextmanager
def stopped_at_row(last, monkeypatch):
    keep = Rows.keep

    def stopped(rows, number, arrays):
        if number == last:
            raise KeyboardInterrupt
        keep(rows, number, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "keep", stopped)
        with pytest.raises(KeyboardInterrupt):
            yield


def test_a_table_goes_on_too(run, scene, monkeypatch, tmp_path):
    cut = Cut(device="cpu")
    expected = run("classification", [scene], "whole.csv", cut).read_bytes()
    with stopped_at_row(5, monkeypatch):
        run("classification", [scene], "labels.csv", cut)
    assert len(kept(tmp_path)) == 5
    assert run("classification", [scene], "labels.csv", cut).read_bytes() == expected
    assert not list(tmp_path.glob(".*"))


def test_features_go_on_too(artifact, scene, monkeypatch, tmp_path):
    def run(out):
        embed(artifact, scene, tmp_path / out, ReadOptions(), 4, "int8", True, OVERLAPPING)
        return (tmp_path / out).read_bytes()

    expected = run("whole.tif")
    with stopped_at_row(5, monkeypatch):
        run("features.tif")
    assert len(kept(tmp_path)) == 5
    assert run("features.tif") == expected
    assert not list(tmp_path.glob(".*"))


def test_killed_again_and_again_it_ends_with_the_same_bytes(
    run, fitted_file, artifact, scene, tmp_path
):
    expected = run("segmentation", [scene], "whole.tif", probabilities=True).read_bytes()
    out = tmp_path / "map.tif"
    words = [fitted_file("segmentation")[0], artifact, scene, out]
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, *map(str, words)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == expected
    assert int(done.stdout) >= 2  # kept of those that were killed
    assert not list(tmp_path.glob(".*"))


def test_an_interrupt_says_that_it_can_be_gone_on_with(
    fitted_file, artifact, scene, tmp_path, monkeypatch, call
):
    stop_at(monkeypatch, 0)
    status, out, err = call(
        "predict", scene, "--task", fitted_file("segmentation")[0], "--artifact", artifact,
        "-o", tmp_path / "map.tif", "--window", "64",
    )  # fmt: skip
    assert (status, out) == (130, "")
    lines = err.strip().splitlines()
    assert lines == ["interrupted: the same command goes on from the last finished row of windows"]
