"""What a specialist says for itself, what its scale says, and what it says over its scale."""

from pathlib import Path

import pytest

from eosfm.params import Params, load_params
from eosfm.planning.plan import at_scale
from eosfm.recipes import TrainOverrides
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


def test_what_a_specialist_says_of_mini_counts_there_and_after_its_own_word(params):
    name, large = "kenya_croptype", at_scale(params, "full")
    entry, mini, full = params.specialist(name), *(Recipe.resolve(p, name) for p in (params, large))
    assert mini.epochs == entry.mini.epochs != params.scales.mini.train.epochs
    assert mini.batch_size == entry.mini.batch_size
    assert (full.epochs, full.batch_size) == (entry.epochs, entry.batch_size)
    own = Recipe.resolve(with_train(params, name, epochs=2), name)
    assert (own.epochs, own.batch_size) == (2, mini.batch_size)


def test_null_for_itself_is_its_own_setting(params):
    own = with_train(params, "potsdam", epochs=None, batch_size=None)
    recipe = Recipe.resolve(own, "potsdam")
    entry = params.specialist("potsdam")
    assert (recipe.epochs, recipe.batch_size) == (entry.epochs, entry.batch_size)


def test_the_scale_chooses_the_recipe_and_a_specialist_its_own(params):
    full = at_scale(params, "full")
    mini, published = Recipe.resolve(params, "loveda"), Recipe.resolve(full, "loveda")
    assert mini.method == params.recipes.ours and mini.balanced and mini.crop == 512
    assert published.method.model_dump() == params.recipes.published.model_dump() | {
        "optimizer": "adam", "weight_decay": 0.0,
    }  # fmt: skip
    assert (published.lr, published.crop, published.balanced) == (1e-3, None, False)
    assert Recipe.resolve(full, "oscd").method == params.recipes.ours
    one = with_train(params, "loveda", recipe="published")
    assert Recipe.resolve(one, "loveda").method == published.method
    assert Recipe.resolve(one, "potsdam") == Recipe.resolve(params, "potsdam")
    assert mini.digest() != Recipe.resolve(one, "loveda").digest()


def test_the_published_recipe_may_see_other_bands(params):
    full = at_scale(params, "full")
    assert Recipe.resolve(params, "dfc2022").bands == ("red", "green", "blue")
    recipe = Recipe.resolve(full, "dfc2022")
    assert recipe.bands == full.specialist("dfc2022").bands == ("red", "green", "blue", "height")
    assert recipe.batch_size == 32


def test_every_scaling_fits_its_bands_and_every_loss_is_published(params):
    full = at_scale(params, "full")
    scalings = {name: Recipe.resolve(full, name).scaling() for name in full.specialists}
    assert scalings["sen12ms_all"] == ((0.0,) * 15, (-25.0, -25.0, *(10_000.0,) * 13))
    assert scalings["sen12ms_s1"] == ((0.0,) * 3, (-25.0,) * 3)
    assert scalings["ben_rgb"] == ((0.0,) * 3, (255.0,) * 3)
    assert scalings["oscd"] is None
    assert Recipe.resolve(params, "sen12ms_rgb").loss == "dice"


@pytest.mark.parametrize(
    ("decided", "scale", "own", "pretrained"),
    [
        (None, True, True, True),
        (None, True, False, False),
        (None, False, True, False),
        (True, False, False, True),
        (False, True, True, False),
    ],
)
def test_start_weights_are_those_that_scale_and_specialist_ask_for_or_backbone_says(
    params, decided, scale, own, pretrained
):
    params.backbone.__dict__["pretrained"] = decided
    params.current.__dict__["pretrained"] = scale
    params.specialist("potsdam").__dict__["pretrained"] = own
    assert Recipe.resolve(params, "potsdam").pretrained == pretrained
