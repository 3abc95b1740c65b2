"""Trainings that are killed: checkpoints, and going on to the same bytes."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch

from eosfm.tiles.store import TileStore
from eosfm.training import callbacks
from eosfm.training.callbacks import Record
from eosfm.training.recipe import Recipe
from tests.training.conftest import curves, scripted, train

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint wherever one may be."""
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", 0.0)


class Killed(Exception):
    pass


def dying(monkeypatch: pytest.MonkeyPatch, epochs: int, steps: int) -> None:
    """Let a training die after some epochs and, in the next, at the end of some steps."""
    keep = Record.on_train_batch_end

    def die(self: Record, *args: Any) -> None:
        keep(self, *args)
        if (len(self.epochs), len(self._losses)) == (epochs, steps):
            raise Killed

    monkeypatch.setattr(Record, "on_train_batch_end", die)


@pytest.mark.usefixtures("saving")
@pytest.mark.parametrize(
    ("kind", "workers", "step", "recipe_name"),
    [
        ("segmentation", 1, 1, "ours"),
        ("segmentation", 0, 2, "published"),  # which draws what it drops
        ("detection", 0, 3, "ours"),
    ],
)
def test_two_trainings_and_a_resumed_one_give_the_same_bytes(
    kind: str,
    workers: int,
    step: int,
    recipe_name: str,
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"recipe": recipe_name, "steps_per_epoch": 3}
    recipe, store = make_recipe(kind, epochs=3, workers=workers, train=settings), make_store(kind)
    for name in ("first", "second"):
        train(recipe, store, tmp_path, name)
        torch.rand(7)  # the state that one training leaves must not reach the next
    first = (tmp_path / "first.pt").read_bytes()
    assert first == (tmp_path / "second.pt").read_bytes()

    with monkeypatch.context() as patched, pytest.raises(Killed):
        dying(patched, 1, step)
        train(recipe, store, tmp_path, "killed")
    assert not (tmp_path / "killed.pt").exists()
    (checkpoint,) = (tmp_path / "s-killed").rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 3 + step - 1

    shutil.rmtree(tmp_path / "live-killed")  # as DVC does with a stage's outputs
    train(recipe, store, tmp_path, "killed")
    assert (tmp_path / "killed.pt").read_bytes() == first
    assert len(curves(tmp_path, "first")["loss"]) == 3
    assert curves(tmp_path, "killed") == curves(tmp_path, "first") == curves(tmp_path, "second")
    assert not list((tmp_path / "s-killed").iterdir())


@pytest.mark.usefixtures("saving")
def test_a_damaged_checkpoint_is_named_and_training_starts_again(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe, store = make_recipe("segmentation", epochs=2), make_store("segmentation")
    train(recipe, store, tmp_path, "whole")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        dying(patched, 1, 1)
        train(recipe, store, tmp_path, "killed")
    (checkpoint,) = (tmp_path / "s-killed").rglob("*.*")
    assert checkpoint.name == "last.ckpt"
    content = checkpoint.read_bytes()
    for damaged in (b"", content[: len(content) // 2], content.replace(b"epoch", b"EPOCH", 1)):
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.write_bytes(damaged)
        train(recipe, store, tmp_path, "killed")
        assert "checkpoint dropped, training starts again" in capsys.readouterr().out
        assert (tmp_path / "killed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


def test_a_checkpoint_a_minute(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 10_000, 30))
    steps: list[int] = []
    seconds = SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter)
    monkeypatch.setattr(callbacks, "time", seconds)

    def save(self: lightning.Trainer, file: Path) -> None:
        steps.append(self.global_step)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", save)
    train(make_recipe("classification", epochs=3), make_store("classification"), tmp_path)
    assert steps == [2, 4, 6]  # a look at the clock after each of six steps


@pytest.mark.usefixtures("saving")
def test_a_run_killed_while_it_resumes_still_resumes(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, store = make_recipe("segmentation", epochs=3), make_store("segmentation")
    train(recipe, store, tmp_path, "whole")

    def killed(self: Record, *args: Any) -> None:
        raise KeyboardInterrupt

    for hook in ("on_train_epoch_end", "on_fit_start"):
        with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, SystemExit)):
            patched.setattr(Record, hook, killed)
            train(recipe, store, tmp_path, "killed")
    train(recipe, store, tmp_path, "killed")
    assert (tmp_path / "killed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


@pytest.mark.usefixtures("saving")
def test_a_terminated_run_ends_as_one_and_resumes(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, store = make_recipe("classification"), make_store("classification")
    with monkeypatch.context() as patched, pytest.raises(SystemExit) as ended:
        patched.setattr(Record, "on_train_epoch_start", lambda *_: os.kill(os.getpid(), 15))
        train(recipe, store, tmp_path)
    assert ended.value.code == 143 and list(tmp_path.rglob("*.ckpt"))
    train(recipe, store, tmp_path)
    assert (tmp_path / "toy.pt").exists()


@pytest.mark.usefixtures("saving")
def test_a_run_killed_after_its_last_epoch_keeps_its_curves(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, store = make_recipe("classification", epochs=2), make_store("classification")
    train(recipe, store, tmp_path, "whole")

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("eosfm.training.train._constant_score", killed)
        train(recipe, store, tmp_path, "killed")
    shutil.rmtree(tmp_path / "live-killed")
    train(recipe, store, tmp_path, "killed")
    assert (tmp_path / "killed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
    assert len(curves(tmp_path, "killed")["loss"]) == 2
    assert curves(tmp_path, "killed") == curves(tmp_path, "whole")


def test_another_run_s_checkpoint_is_not_taken_up(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = tmp_path / "s-toy" / "toy-0123456789abcdef" / "last.ckpt"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"other")
    train(make_recipe("segmentation", epochs=1), make_store("segmentation"), tmp_path)
    assert (tmp_path / "toy.pt").exists() and other.read_bytes() == b"other"
    assert f"{other.parent}, so it starts anew" in capsys.readouterr().out


@pytest.mark.usefixtures("saving")
def test_patience_ends_a_training_and_a_killed_one_does_not_go_on(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make_recipe("classification", epochs=6, patience=2)
    store = make_store("classification")
    scripted(monkeypatch, 0.5, 0.7, 0.6, 0.7, 0.9, 0.9)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("eosfm.training.train._constant_score", killed)
        train(recipe, store, tmp_path)
    result = train(recipe, store, tmp_path)
    assert [row[0] for row in curves(tmp_path)["accuracy"]] == ["1", "2", "3", "4"]
    assert (result.epoch, result.score) == (2, 0.7)
