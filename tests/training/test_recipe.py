"""What a specialist says for itself, what its scale says, and what it says over its scale."""

from pathlib import Path

import pytest

from eosfm.params import Params, load_params
from eosfm.schema import TrainOverrides
from eosfm.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def with_train(params: Params, name: str, **train) -> Params:
    entry = params.specialist(name).model_copy(update={"train": TrainOverrides(**train)})
    return params.model_copy(update={"specialists": {**params.specialists, name: entry}})


@pytest.fixture
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def test_the_scale_limits_epochs_and_sets_sizes(params):
    limits = params.scales.mini.train
    recipe = Recipe.resolve(params, "potsdam")
    assert params.specialist("potsdam").epochs > limits.epochs == recipe.epochs
    assert (recipe.batch_size, recipe.lr) == (limits.batch_size, limits.lr)


def test_a_specialist_may_go_beyond_its_scale(params):
    own = with_train(params, "potsdam", epochs=400, lr=0.5, steps_per_epoch=None, workers=3)
    recipe = Recipe.resolve(own, "potsdam")
    assert (recipe.epochs, recipe.lr, recipe.steps_per_epoch, recipe.workers) == (400, 0.5, None, 3)
    assert recipe.batch_size == params.scales.mini.train.batch_size
    assert Recipe.resolve(own, "loveda") == Recipe.resolve(params, "loveda")


def test_null_for_itself_is_the_published_setting(params):
    own = with_train(params, "potsdam", epochs=None, batch_size=None)
    recipe = Recipe.resolve(own, "potsdam")
    published = params.specialist("potsdam")
    assert (recipe.epochs, recipe.batch_size) == (published.epochs, published.batch_size)
