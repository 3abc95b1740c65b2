"""What training a specialist takes."""

from eosfm.kinds import get_kind
from eosfm.params import Params
from eosfm.planning.cost import COMPUTED, encoder_channels, encoder_cost, specialist_head_cost
from eosfm.planning.memory import loading_gb
from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import Load, Work
from eosfm.training.recipe import Recipe


def training_work(params: Params, name: str, store: PlannedStore) -> Work:
    """All epochs of one specialist: none is taken to end early.

    Every epoch trains on crops and validates on whole tiles.
    """
    recipe = Recipe.resolve(params, name)
    size = (store.shape[2], store.shape[3])
    crop = size if recipe.crop is None else (min(recipe.crop, size[0]), min(recipe.crop, size[1]))
    steps = recipe.steps_per_epoch or max(1, store.tiles["train"] // recipe.batch_size)
    trained = recipe.epochs * steps * recipe.batch_size
    scored = recipe.epochs * store.tiles["val"]
    work = _passes(recipe, store, crop, trained, COMPUTED) + _passes(recipe, store, size, scored, 1)
    pixels = crop[0] * crop[1]
    sample = pixels * (4 * store.dates * len(recipe.bands) + 8)  # float32 images, int64 targets
    return work.needing(loading_gb(recipe.workers, recipe.batch_size * sample))


def _passes(
    recipe: Recipe, store: PlannedStore, size: tuple[int, int], tiles: int, computed: int
) -> Work:
    """Some tiles through encoder and head, each computed so many times."""
    kind, dates = get_kind(store.kind), 1 if recipe.stacked else store.dates
    channels = len(recipe.bands) * (store.dates if recipe.stacked else 1)
    encoder = encoder_cost(recipe.backbone, channels, *size)
    head = specialist_head_cost(
        kind, recipe.head(kind), encoder_channels(recipe.backbone), dates, len(store.classes),
        recipe.decoder_channels, size,
    )  # fmt: skip
    load = Load(
        encoder_macs=float(computed * tiles * dates) * encoder.macs,
        head_macs=float(computed * tiles) * head.macs,
        # All dates of a batch are one call.
        operations=computed * tiles / recipe.batch_size * (encoder.operations + head.operations),
        head_width=recipe.decoder_channels,
    )
    return Work(images=tiles * store.dates, encoder_calls=tiles * dates, loads=(load,))
