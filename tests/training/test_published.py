"""The published recipe: what it has otherwise, in the trained file and on the way to it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Adam, AdamW

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS
from eosfm.nn.faults import check_specialists
from eosfm.nn.specialist import load_specialist
from eosfm.recipes import Plateau, Scaling
from eosfm.tiles.store import TileStore
from eosfm.training import callbacks
from eosfm.training.callbacks import Record
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.train import build_data, build_module
from tests.training.conftest import scripted, train

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]


@pytest.fixture
def make_published(make_recipe: MakeRecipe) -> MakeRecipe:
    def make(kind: str, epochs: int = 1, **method: Any) -> Recipe:
        recipe = make_recipe(kind, epochs=epochs, train={"recipe": "published"})
        return replace(recipe, method=recipe.method.model_copy(update=method))

    return make


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_label_trains(
    kind: str, make_store: MakeStore, make_published: MakeRecipe, tmp_path: Path
) -> None:
    result = train(make_published(kind), make_store(kind), tmp_path)
    assert result.metric == KINDS[kind].headline
    read = load_specialist(tmp_path / "toy.pt")
    assert (read.mean, read.std) == ((0.0, 0.0), (255.0, 255.0))


def test_tiles_and_the_file_are_scaled_as_the_recipe_says(
    make_store: MakeStore, make_published: MakeRecipe, tmp_path: Path
) -> None:
    store = make_store("segmentation")
    scaling = Scaling(mean=(100, 0), std=(50, -25))
    recipe = make_published("segmentation", scaling=scaling)
    train(recipe, store, tmp_path)
    read = load_specialist(tmp_path / "toy.pt")
    assert (read.mean, read.std) == ((100.0, 0.0), (50.0, -25.0))
    check_specialists([read])  # it can be exported
    image = next(iter(build_data(recipe, store).val_dataloader()))["image"][0, 0]
    pixels = torch.from_numpy(store.split("val").parts(0)[0][0].astype("float32"))
    torch.testing.assert_close(image[0], (pixels[0] - 100) / 50)
    torch.testing.assert_close(image[1], pixels[1] / -25)


def test_a_scaling_that_does_not_fit_the_bands_is_one_line(make_published: MakeRecipe) -> None:
    for scaling in (Scaling(mean=(1, 2, 3), std=1), Scaling(mean=0, std=0)):
        with pytest.raises(EosfmError, match="for 2 bands; expected a number, or one for each"):
            make_published("segmentation", scaling=scaling).scaling()


def test_a_scaling_for_another_unit_is_one_line(
    make_store: MakeStore, make_published: MakeRecipe
) -> None:
    store = make_store("segmentation")
    fits = make_published("segmentation", scaling=Scaling(mean=0, std=1, unit="reflectance_1e4"))
    assert build_data(fits, store)
    other = make_published("segmentation", scaling=Scaling(mean=0, std=255, unit="dn8"))
    with pytest.raises(
        EosfmError, match=r"its scaling is for dn8, and B04 of .* is in reflectance"
    ):
        build_data(other, store)


def test_the_last_epoch_is_kept(
    make_store: MakeStore,
    make_published: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripted(monkeypatch, 0.2, 0.6, 0.1)
    recipe = make_published("classification", epochs=3)
    result = train(recipe, make_store("classification"), tmp_path)
    assert (result.epoch, result.score) == (3, 0.1)


def fitted(
    recipe: Recipe, store: TileStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[float]]:
    """The optimiser of a training, and its rate after each epoch."""
    rates: list[float] = []
    optimizers: list[Any] = []
    keep = Record.on_train_epoch_end

    def look(self: Record, trainer: Any, pl_module: Any) -> None:
        keep(self, trainer, pl_module)
        optimizers.append(trainer.optimizers[0])
        rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    monkeypatch.setattr(Record, "on_train_epoch_end", look)
    train(recipe, store, folder)
    return optimizers[0], rates


def test_the_rate_is_constant_and_everything_decays(
    make_store: MakeStore,
    make_published: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = make_published("classification", epochs=3)
    optimizer, rates = fitted(recipe, make_store("classification"), tmp_path, monkeypatch)
    assert rates == [recipe.lr] * 3 and type(optimizer) is AdamW
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.1]


def test_adam_follows_the_loss_on_validation_tiles(
    make_store: MakeStore,
    make_published: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loss that never falls lowers the rate once patience is over."""
    monkeypatch.setattr(SpecialistModule, "training_step", still)
    recipe = make_published(
        "classification", epochs=4, optimizer="adam", weight_decay=0.0,
        schedule=Plateau(factor=0.5, patience=1),
    )  # fmt: skip
    optimizer, rates = fitted(recipe, make_store("classification"), tmp_path, monkeypatch)
    assert type(optimizer) is Adam
    assert rates == [recipe.lr, recipe.lr, recipe.lr / 2, recipe.lr / 2]


class Killed(Exception):
    pass


def test_a_resumed_run_knows_how_long_the_loss_has_not_fallen(
    make_store: MakeStore,
    make_published: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(callbacks, "SAVE_SECONDS", 0.0)
    plateau = Plateau(factor=0.5, patience=1)
    recipe = make_published("classification", epochs=3, schedule=plateau, weight_decay=0.0)

    def dies(self: SpecialistModule, batch: Any, batch_idx: int) -> torch.Tensor:
        if self.current_epoch == 2:
            raise Killed
        return still(self, batch, batch_idx)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(SpecialistModule, "training_step", dies)
        train(recipe, make_store("classification"), tmp_path)
    assert list(tmp_path.glob("s-toy/*/last.ckpt"))
    monkeypatch.setattr(SpecialistModule, "training_step", still)
    _, rates = fitted(recipe, make_store("classification"), tmp_path, monkeypatch)
    assert rates == [recipe.lr / 2]


def still(self: SpecialistModule, batch: Any, batch_idx: int) -> torch.Tensor:
    """A step that learns nothing."""
    return self.head(self.encoder(batch["image"][:, 0]), (32, 32)).sum() * 0.0


def test_heads_are_the_published_ones(make_store: MakeStore, make_published: MakeRecipe) -> None:
    def head(kind: str) -> nn.Module:
        store = make_store(kind)
        return build_module(make_published(kind), store, store.target_statistics()).head

    assert [type(head(kind)).__name__ for kind in ("classification", "multilabel")] == [
        "LastMapHead"
    ] * 2
    pixels = [head(kind) for kind in ("segmentation", "change", "regression")]
    assert {type(one).__name__ for one in pixels} == {"UPerNetBatchHead"}
    (dropped,) = [m.p for m in pixels[0].modules() if isinstance(m, nn.Dropout)]
    assert dropped == 0.1
