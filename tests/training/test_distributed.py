"""Two processes on the CPU do what one does; killed, they end with the same file."""

import multiprocessing
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import load_specialist
from eosfm.tiles.store import TileStore
from eosfm.training.recipe import Recipe

from . import processes

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]
ROOT = Path(__file__).parents[2]
PATIENCE = 600
"""Seconds after which something hangs, on a machine with whatever else to do."""
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.training.processes"])


def shared(recipe: Recipe, **changes: object) -> Recipe:
    """The same in two processes."""
    trainer = {**recipe.trainer, "accelerator": "cpu", "devices": 2, "strategy": "ddp"}
    return replace(recipe, trainer=trainer, **changes)  # type: ignore[arg-type]


def start(recipe: Recipe, store: TileStore, folder: Path, freezes: bool = False) -> list:
    """Start two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    rest = (port, freezes, recipe, store.path, folder)
    both = [
        FORKS.Process(target=processes.train_as, args=(rank, *rest), daemon=True)
        for rank in range(2)
    ]
    for one in both:
        one.start()
    return both


def finish(both: list) -> None:
    for one in both:
        one.join(PATIENCE)
    assert [one.exitcode for one in both] == [0, 0]


@pytest.fixture
def five(make_store: MakeStore) -> Callable[[str], TileStore]:
    """A store whose validation tiles two processes cannot halve."""
    return lambda kind: make_store(kind, {"train": 10, "val": 5})


def test_launched_or_killed_and_resumed_two_processes_do_what_one_does(
    five: Callable[[str], TileStore], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    # Cross-entropy, with as many labelled pixels in every tile: a mean over halves is the mean.
    one = replace(make_recipe("segmentation"), loss="ce", steps_per_epoch=3)
    two, store = shared(one), five("segmentation")
    folders = {name: tmp_path / name for name in ("one", "launched", "killed")}
    for folder in folders.values():
        folder.mkdir()
    (tmp_path / "job").write_bytes(pickle.dumps((two, store.path, folders["launched"])))
    command = [sys.executable, "-m", processes.__name__, str(tmp_path / "job")]
    launched = subprocess.Popen(command, cwd=ROOT)

    killed = start(two, store, folders["killed"], freezes=True)
    end = time.monotonic() + PATIENCE
    while len(list(folders["killed"].glob("frozen?"))) < 2 and time.monotonic() < end:
        assert all(process.is_alive() for process in killed)
        time.sleep(0.05)
    for process in killed:
        process.kill()
        process.join()
    assert list(folders["killed"].glob("scratch/*/last.ckpt"))
    finish(start(two, store, folders["killed"]))
    processes.train(one, store.path, folders["one"])
    assert launched.wait(PATIENCE) == 0

    files = {name: (folder / "toy.pt").read_bytes() for name, folder in folders.items()}
    assert files["killed"] == files["launched"]
    told = {
        name: load_specialist(folders[name] / "toy.pt").facts["metrics"]
        for name in ("one", "launched")
    }
    by_class = {name: metrics.pop("per_class") for name, metrics in told.items()}
    assert by_class["launched"] == pytest.approx(by_class["one"], abs=1e-3)
    assert told["launched"] == pytest.approx(told["one"], abs=1e-3)
    assert told["launched"]["trivial"] == told["one"]["trivial"]
    rows = {
        name: (folder / "live/plots/metrics/miou.tsv").read_text().splitlines()
        for name, folder in folders.items()
    }
    assert len(rows["one"]) == len(rows["launched"]) == 3 and rows["killed"] == rows["launched"]


@pytest.mark.parametrize("kind", ["detection", "multilabel"])
def test_lists_of_another_length_are_gathered(
    kind: str, five: Callable[[str], TileStore], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    """The scores of about the initial weights: a loss that averages otherwise changes nothing."""
    one = replace(make_recipe(kind, epochs=1), steps_per_epoch=1, lr=1e-9)
    told = []
    for name, recipe in (("one", one), ("two", shared(one))):
        folder = tmp_path / name
        folder.mkdir()
        if name == "one":
            processes.train(recipe, five(kind).path, folder)
        else:
            finish(start(recipe, five(kind), folder))
        metrics = load_specialist(folder / "toy.pt").facts["metrics"]
        told.append({key: metrics[key] for key in (metrics["metric"], "trivial")})
    assert told[1] == pytest.approx(told[0], abs=1e-6)


def test_one_process_is_one_whatever_its_job_was_given(
    five: Callable[[str], TileStore], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = make_recipe("segmentation", epochs=1)
    trainer = {**one.trainer, "accelerator": "cpu", "devices": 1, "strategy": "ddp"}
    recipe = replace(one, trainer=trainer)
    job = FORKS.Process(
        target=processes.train_in_a_job, args=(recipe, five("segmentation").path, tmp_path)
    )
    job.start()
    finish([job, job])
    assert (tmp_path / "toy.pt").is_file()


def test_a_batch_of_one_for_batch_norms_is_one_line(
    five: Callable[[str], TileStore], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = replace(make_recipe("segmentation"), batch_size=1)
    method = recipe.method.model_copy(
        update={"heads": recipe.method.heads.model_copy(update={"pixel": "upernet_batch"})}
    )
    with pytest.raises(EosfmError, match="a batch of one, which head upernet_batch cannot norm"):
        processes.train(replace(recipe, method=method), five("segmentation").path, tmp_path)


def test_batches_that_cannot_be_shared_are_one_line(
    five: Callable[[str], TileStore], make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = shared(make_recipe("classification"), batch_size=5)
    with pytest.raises(EosfmError, match="a batch of 5 cannot be shared by 2 processes"):
        processes.train(recipe, five("classification").path, tmp_path)


def test_fewer_validation_tiles_than_processes_are_one_line(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store("classification", {"train": 4, "val": 1})
    with pytest.raises(EosfmError, match="1 validation tiles for 2 processes"):
        processes.train(shared(make_recipe("classification")), store.path, tmp_path)
