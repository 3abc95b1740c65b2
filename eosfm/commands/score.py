"""``eosfm score``."""

from pathlib import Path


def score(name: str) -> None:
    """Score a trained specialist again, without training.

    On its validation tiles, by every metric of its kind.
    """
    from eosfm.kinds import get_kind
    from eosfm.params import load_params
    from eosfm.tiles.store import TileStore
    from eosfm.training.recipe import Recipe
    from eosfm.training.validate import validate_specialist

    params = load_params()
    store = TileStore(Path("data/tiles") / params.specialist(name).dataset)
    scores = validate_specialist(Recipe.resolve(params, name), store, Path())
    per_class = scores.pop("per_class")
    headline = get_kind(store.kind).headline
    for metric, value in scores.items():
        print(f"{metric:>24} {value:.4f}{' *' if metric == headline else ''}")
    for label, value in per_class.items():
        print(f"{label:>24} {'-' if value is None else f'{value:.4f}'}")
