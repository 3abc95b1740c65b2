"""Validating again what training has made."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.tiles.store import TileStore
from eosfm.training.recipe import Recipe
from eosfm.training.result import TrainResult
from eosfm.training.train import Outputs, train_specialist
from eosfm.training.validate import validate_specialist

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]


def train(recipe: Recipe, store: TileStore, folder: Path) -> TrainResult:
    more = Outputs(head=folder / "results/train/toy/head.pt")
    out = folder / "models/specialists/toy.pt"
    return train_specialist(recipe, store, out, folder / "scratch", more)


@pytest.mark.parametrize("kind", ["change", "regression"])
def test_validating_again_gives_the_scores_of_the_best_epoch(
    kind: str, make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, store = make_recipe(kind), make_store(kind)
    trained = train(recipe, store, tmp_path)
    scores = validate_specialist(recipe, store, tmp_path)
    per_class = scores.pop("per_class")
    assert {key: trained.scores[key] for key in scores} == pytest.approx(scores)
    assert trained.per_class == pytest.approx(per_class)


def test_a_head_that_does_not_fit_is_one_line(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe, store = make_recipe("change", epochs=1), make_store("change")
    train(recipe, store, tmp_path)
    with pytest.raises(EosfmError, match=r"do not fit params\.yaml .*dvc repro train@toy"):
        validate_specialist(replace(recipe, decoder_channels=24), store, tmp_path)
