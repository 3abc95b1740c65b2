"""Training: same bytes twice, same bytes after an interruption, every kind of label."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS, TargetStatistics
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import load_specialist
from eosfm.tiles.store import TileStore
from eosfm.training import callbacks
from eosfm.training.callbacks import Record, speed
from eosfm.training.module import SpecialistModule
from eosfm.training.pictures import draw_predictions
from eosfm.training.recipe import Recipe
from eosfm.training.result import TrainResult
from eosfm.training.train import Outputs, build_module, train_specialist

from .conftest import CLASSES

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]


def train(recipe: Recipe, store: TileStore, folder: Path, name: str = "toy") -> TrainResult:
    """Train to ``<name>.pt``, with curves in ``live-<name>`` and checkpoints in ``s-<name>``."""
    more = Outputs(live=folder / f"live-{name}")
    return train_specialist(recipe, store, folder / f"{name}.pt", folder / f"s-{name}", more)


def curves(folder: Path, name: str = "toy") -> dict[str, list[list[str]]]:
    """The rows of each curve that DVCLive wrote."""
    files = (folder / f"live-{name}" / "plots" / "metrics").glob("*.tsv")
    return {
        file.stem: [row.split("\t") for row in file.read_text().splitlines()[1:]] for file in files
    }


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"segmentation"}))
def test_every_kind_of_label_trains(
    kind: str, make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    result = train(make_recipe(kind, epochs=1), make_store(kind), tmp_path)
    headline = KINDS[kind].headline
    assert result.metric == headline and result.epoch == 1
    points = {name: [(row[0], float(row[1])) for row in rows]
              for name, rows in curves(tmp_path).items()}  # fmt: skip
    assert points == {key: [("1", result.scores[key])] for key in ("loss", headline)}
    occurring = {name for name, score in result.per_class.items() if score is not None}
    assert occurring == set({"regression": ()}.get(kind, CLASSES[kind])) - {"never"}
    read = load_specialist(tmp_path / "toy.pt")
    told = {
        **result.scores, "per_class": result.per_class, "metric": headline, "epoch": 1,
        "trivial": result.constant,
    }  # fmt: skip
    assert read.facts == {"metrics": told, "task": kind, "dataset": f"toy_{kind}"}
    assert not list(tmp_path.glob("s-toy/*"))


def test_the_file_feeds_the_encoder(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store("segmentation")
    train(make_recipe("segmentation", epochs=1), store, tmp_path)
    read = load_specialist(tmp_path / "toy.pt")
    assert read.bands == ("B04", "B03") and read.units == ("reflectance_1e4",) * 2
    assert read.mean == (store.mean["B04"], store.mean["B03"])
    assert read.std == (store.std["B04"], store.std["B03"])
    assert read.facts["source"] == store.source == "simulated"
    model = build_backbone(read.backbone, 2)
    model.load_state_dict(read.state_dict, strict=True)


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
    ("kind", "workers", "step"),
    [("segmentation", 0, 1), ("segmentation", 0, 2), ("segmentation", 1, 3), ("detection", 0, 3)],
)
def test_two_trainings_and_a_resumed_one_give_the_same_bytes(
    kind: str,
    workers: int,
    step: int,
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = replace(make_recipe(kind, epochs=3, workers=workers), steps_per_epoch=3)
    store = make_store(kind)
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
    monkeypatch.setattr(
        lightning.Trainer, "save_checkpoint", lambda self, file: steps.append(self.global_step)
    )
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

    for hook in ("on_train_epoch_end", "on_train_start"):
        with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, SystemExit)):
            patched.setattr(Record, hook, killed)
            train(recipe, store, tmp_path, "killed")
    train(recipe, store, tmp_path, "killed")
    assert (tmp_path / "killed.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()


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


def test_of_several_processes_the_first_alone_writes(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lightning.Trainer, "is_global_zero", False)
    recipe, store = make_recipe("classification", epochs=1), make_store("classification")
    more = Outputs(tmp_path / "head.pt", tmp_path / "toy.png")
    with pytest.raises(SystemExit) as ended:
        train_specialist(recipe, store, tmp_path / "toy.pt", tmp_path / "s", more)
    assert ended.value.code == 0
    assert not {"toy.pt", "head.pt", "toy.png"} & {file.name for file in tmp_path.iterdir()}


def test_training_learns_what_the_pixels_show(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    result = train(make_recipe("segmentation", epochs=6), make_store("segmentation"), tmp_path)
    assert result.score > result.constant + 0.1


def scripted(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """Let the validation of each epoch give one of some accuracies."""

    def give(self: SpecialistModule) -> None:
        self.scores = {"accuracy": scores[self.trainer.current_epoch]}
        self.metrics.reset()

    monkeypatch.setattr(SpecialistModule, "on_validation_epoch_end", give)


def test_the_best_epoch_is_kept_not_the_last(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, store = make_recipe("classification", epochs=4), make_store("classification")
    scripted(monkeypatch, 0.2, 0.6, 0.6, 0.1)
    weights = []
    keep = Record.on_train_epoch_end

    def look(self: Record, trainer: Any, pl_module: Any) -> None:
        keep(self, trainer, pl_module)
        weights.append(pl_module.encoder.state_dict()["stem_0.weight"].clone())

    monkeypatch.setattr(Record, "on_train_epoch_end", look)
    result = train(recipe, store, tmp_path)
    assert (result.epoch, result.score) == (2, 0.6)
    kept = load_specialist(tmp_path / "toy.pt").state_dict["stem_0.weight"]
    assert torch.equal(kept, weights[1]) and not torch.equal(kept, weights[3])


def test_a_training_that_diverges_is_one_line(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = SpecialistModule.training_step
    monkeypatch.setattr(
        SpecialistModule, "training_step", lambda *args: whole(*args) * float("nan")
    )
    with pytest.raises(EosfmError, match="training toy diverged: loss nan in epoch 1"):
        train(make_recipe("segmentation"), make_store("segmentation"), tmp_path)


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


def test_every_epoch_is_told_where_there_is_no_terminal(
    make_store: MakeStore,
    make_recipe: MakeRecipe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(make_recipe("segmentation", epochs=2), make_store("segmentation"), tmp_path)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("train toy")]
    assert [line.partition(",")[0] for line in lines] == [
        "train toy: epoch 1/2", "train toy: epoch 2/2"
    ]  # fmt: skip
    assert all("loss " in line and "miou " in line and "steps/s" in line for line in lines)


def test_balanced_weights_reach_the_loss(make_store: MakeStore, make_recipe: MakeRecipe) -> None:
    store, recipe = make_store("segmentation"), make_recipe("segmentation")
    statistics = TargetStatistics((75, 25), 100)
    plain = build_module(recipe, store, statistics)
    weighted = build_module(replace(recipe, balanced=True), store, statistics)
    assert plain.loss.dice.class_weights is None
    expected = [(0.5 / 0.75) ** 0.5, (0.5 / 0.25) ** 0.5]
    assert weighted.loss.dice.class_weights.tolist() == pytest.approx(expected)


def test_stacked_dates_are_one_input_of_the_encoder(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, store = replace(make_recipe("change", epochs=1), stacked=True), make_store("change")
    train(recipe, store, tmp_path)
    read = load_specialist(tmp_path / "toy.pt")
    assert read.in_chans == 4 and read.facts["dates"] == 2
    assert read.bands == ("B04", "B03") * 2
    assert read.mean == (store.mean["B04"], store.mean["B03"]) * 2

    module = build_module(recipe, store, TargetStatistics((1, 1), 2)).eval()
    image = torch.randn(1, 2, 2, 32, 32)
    levels = module.encoder(image.reshape(1, 4, 32, 32))
    torch.testing.assert_close(module(image), module.head(levels, (32, 32)))


@pytest.mark.parametrize("kind", list(KINDS))
def test_predictions_are_drawn_small_and_alike(
    kind: str, make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store(kind)
    module = build_module(make_recipe(kind), store, store.target_statistics())
    for name in ("a", "b"):
        draw_predictions(module, store, ("B04", "B03"), tmp_path / f"{name}.png")
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert 2_000 < len(data) < 100_000
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", ["change", "segmentation", "classification"])
def test_batches_of_one_and_odd_sizes(
    kind: str, make_store: MakeStore, make_recipe: MakeRecipe
) -> None:
    store = make_store(kind)
    module = build_module(make_recipe(kind), store, store.target_statistics()).train()
    logits = module(torch.randn(1, store.shape[0], 2, 45, 37))
    assert logits.shape == ((1, 2) if kind == "classification" else (1, 2, 45, 37))
    logits.sum().backward()


def test_the_scale_limits_a_specialist_s_settings(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe("segmentation", epochs=3)
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (3, 4, 2e-3)
    assert not recipe.pretrained
    assert make_recipe("segmentation", epochs=30).epochs == 10
    assert make_recipe("segmentation", pretrained=True).pretrained
    own = make_recipe("segmentation", epochs=3, train={"epochs": 30, "decoder_channels": 24})
    assert (own.epochs, own.decoder_channels, own.batch_size) == (30, 24, 4)


def test_workers_alone_do_not_name_a_run(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe("segmentation")
    assert recipe.digest() == replace(recipe, workers=7).digest()
    assert recipe.digest() != replace(recipe, lr=7.0).digest()
    assert recipe.digest() != replace(recipe, trainer={**recipe.trainer, "devices": 2}).digest()


def test_missing_validation_tiles_are_one_line(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store("segmentation", {"train": 4})
    with pytest.raises(EosfmError, match="has no validation tiles"):
        train(make_recipe("segmentation"), store, tmp_path)


def test_one_validation_tile_is_enough(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store("segmentation", {"train": 2, "val": 1})
    result = train(make_recipe("segmentation", epochs=1), store, tmp_path)
    assert 0 <= result.score <= 1


def test_a_loss_that_does_not_fit_the_labels_is_refused(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = replace(make_recipe("segmentation"), loss="mse")
    with pytest.raises(EosfmError, match="'mse' does not fit segmentation"):
        train(recipe, make_store("segmentation"), tmp_path)


def test_slow_steps_are_told_by_their_length() -> None:
    assert (speed(30, 10.0), speed(30, 600.0), speed(0, 4.0)) == (
        "3.0 steps/s", "20.0 s/step", "4.0 s/step",
    )  # fmt: skip
