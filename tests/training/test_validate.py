from collections.abc import Callable
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.params import Params
from eosfm.tiles.store import TileStore
from eosfm.training.train import train_specialist
from eosfm.training.validate import validate_specialist


@pytest.mark.parametrize("kind", ["change", "regression"])
def test_validating_again_gives_the_scores_of_the_best_epoch(
    kind: str,
    make_store: Callable[..., TileStore],
    make_params: Callable[..., Params],
    tmp_path: Path,
) -> None:
    params, store = make_params(kind), make_store(kind)
    trained = train_specialist(
        params,
        "toy",
        store,
        tmp_path / "models/specialists/toy.pt",
        tmp_path / "scratch",
        lambda metrics, step: None,
        head=tmp_path / "results/train/toy/head.pt",
    )
    scores = validate_specialist(params, "toy", store, tmp_path)
    per_class = scores.pop("per_class")
    assert {key: trained[key] for key in scores} == pytest.approx(scores)
    assert trained["per_class"] == pytest.approx(per_class)


def test_a_head_that_does_not_fit_is_one_line(
    make_store: Callable[..., TileStore], make_params: Callable[..., Params], tmp_path: Path
) -> None:
    store, params = make_store("change"), make_params("change", epochs=1)
    train_specialist(
        params,
        "toy",
        store,
        tmp_path / "models/specialists/toy.pt",
        tmp_path / "scratch",
        lambda metrics, step: None,
        head=tmp_path / "results/train/toy/head.pt",
    )
    wider = params.current.train.model_copy(update={"decoder_channels": 24})
    mini = params.scales.mini.model_copy(update={"train": wider})
    scales = params.scales.model_copy(update={"mini": mini})
    with pytest.raises(EosfmError, match=r"do not fit params\.yaml .*dvc repro train@toy"):
        validate_specialist(params.model_copy(update={"scales": scales}), "toy", store, tmp_path)
