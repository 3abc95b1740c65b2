"""Training: same bytes twice, same bytes after an interruption, every kind of label."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS, TargetStatistics
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import load_specialist, save_specialist
from eosfm.nn.start import random_start
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from eosfm.training.callbacks import Record, speed
from eosfm.training.module import SpecialistModule
from eosfm.training.pictures import draw_predictions
from eosfm.training.recipe import Recipe
from eosfm.training.train import Outputs, build_module, train_specialist
from tests.training.conftest import curves, scripted, train

from .conftest import CLASSES, dataset_of

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"segmentation"}))
def test_every_kind_of_label_trains(
    kind: str, make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = make_recipe(kind, epochs=1)
    result = train(recipe, make_store(kind), tmp_path)
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
    source = {"dataset": f"toy_{kind}", "reader": recipe.reader, "source": "simulated"}
    assert read.facts == {"metrics": told, "task": kind} | source
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


def test_an_encoder_begins_with_the_start_weights_and_its_head_at_random(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, store = make_recipe("change", epochs=1), make_store("change")
    start = tmp_path / "start.pt"
    save_specialist(start, random_start(recipe.backbone, 0))
    made = {}
    for begin in (start, None):
        torch.manual_seed(0)
        module = build_module(recipe, store, store.target_statistics(), begin)
        made[begin] = module.encoder.state_dict(), module.head.state_dict()
    key = "stages_0.blocks.0.mlp.fc1.weight"
    assert made[start][0][key].equal(load_specialist(start).state_dict[key])
    assert not made[None][0][key].equal(made[start][0][key])
    assert all(made[None][1][name].equal(value) for name, value in made[start][1].items())


def test_start_weights_are_read_where_a_recipe_begins_with_them(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    store, start = make_store("classification"), tmp_path / "start.pt"
    recipe = make_recipe("classification", epochs=1, pretrained=True)
    with pytest.raises(EosfmError, match=r"start\.pt not found"):
        train_specialist(recipe, store, tmp_path / "a.pt", tmp_path / "s", start=start)
    save_specialist(start, random_start(recipe.backbone, 0))
    train_specialist(recipe, store, tmp_path / "a.pt", tmp_path / "s", start=start)
    alone = replace(recipe, pretrained=False)
    train_specialist(alone, store, tmp_path / "b.pt", tmp_path / "s", start=start)
    train_specialist(alone, store, tmp_path / "c.pt", tmp_path / "s")
    a, b, c = ((tmp_path / f"{name}.pt").read_bytes() for name in "abc")
    assert a != b == c


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


def test_gradients_do_not_fade_in_a_small_unit(
    make_store: MakeStore, make_recipe: MakeRecipe
) -> None:
    def gradient(unit: float) -> torch.Tensor:
        torch.manual_seed(0)
        statistics = TargetStatistics((), 1, 0.0, unit)
        module = build_module(make_recipe("regression"), make_store("regression"), statistics)
        batch = {"image": torch.rand(2, 1, 2, 32, 32), "mask": torch.rand(2, 32, 32) * unit}
        module.backward(module.training_step(batch, 0))
        return torch.cat([p.grad.flatten() for p in module.head.parameters()])

    torch.testing.assert_close(gradient(1e-6), gradient(1.0))


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
    tiles = TileDataset(store, "val", ("B04", "B03"))
    for name in ("a", "b"):
        draw_predictions(module, tiles, tmp_path / f"{name}.png")
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


def test_a_device_that_is_not_there_is_one_line(make_store, make_recipe, tmp_path):
    recipe = make_recipe("classification")
    recipe = replace(recipe, trainer={**recipe.trainer, "accelerator": "gpu"})
    with pytest.raises(EosfmError, match=r"trainer.accelerator gpu and .* set them to what there"):
        train(recipe, make_store("classification"), tmp_path)


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


def test_a_class_that_no_training_tile_looked_at_shows_is_named(
    make_recipe, make_store, tmp_path, capsys, monkeypatch
):
    for module in ("tiles.store", "training.train"):
        monkeypatch.setattr(f"eosfm.{module}.STATISTICS_TILES", 5)
    store = make_store("multilabel")
    train(make_recipe("multilabel", epochs=1), store, tmp_path)
    said = f"none of 5 training tiles of toy_multilabel, evenly spread, shows {store.classes[2]}; "
    assert said + "are its class codes right" in capsys.readouterr().out


def test_the_class_that_is_ignored_is_not_missed(make_recipe, tmp_path, capsys):
    cut_dataset(replace(dataset_of("change"), ignore_index=0), tmp_path, tmp_path / "tiles", None,
                source="simulated")  # fmt: skip
    train(make_recipe("change", epochs=1), TileStore(tmp_path / "tiles"), tmp_path / "out")
    assert "are its class codes right" not in capsys.readouterr().out
