"""The analyses of one task, on two specialists."""

import numpy as np
import pytest

from eosfm.core.splits import SPLITS
from eosfm.evaluation.analyses import FRACTIONS, analyse_task
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.evaluate import run_head
from eosfm.evaluation.fit import make_trials
from eosfm.features.store import open_split

NAME = "segmentation"


@pytest.fixture(scope="module")
def analysis(edited, stores, features, artifact):
    params = edited(protocol={"epochs": 1, "steps_per_epoch": 6})
    return params, analyse_task(params, NAME, stores[NAME], features[NAME], artifact)


def test_every_part_is_answered(analysis):
    _, result = analysis
    assert result["counts"].keys() == {"1", "all"}
    assert len(result["counts"]["1"]["selected"]) == 1
    assert set(result["counts"]["all"]["selected"]) == {"colour", "pair"}
    assert set(result["alone"]) == set(result["without"]) == {"colour", "pair"}
    # With two specialists, to be without one is to have the other alone.
    assert result["alone"]["colour"] == result["without"]["pair"]
    assert list(result["labels"]) == [f"{fraction:g}" for fraction in FRACTIONS]
    tiles = [entry["tiles"] for entry in result["labels"].values()]
    assert tiles == sorted(tiles) and tiles[-1] == 16  # half of 32 are labelled


def test_all_labels_and_all_specialists_are_the_same_fit(analysis, stores, features, artifact):
    params, result = analysis
    store = stores[NAME]
    splits = [open_split(params, NAME, store, features[NAME], artifact, s) for s in SPLITS]
    expected = run_head(FIXED, splits, make_trials(params, NAME, store, 1))["test"]
    assert result["counts"]["all"]["test"] == pytest.approx(expected)
    assert result["labels"]["1"]["eosfm"] == pytest.approx(expected)


def test_some_of_the_tiles(params, stores, features, artifact):
    whole = open_split(params, NAME, stores[NAME], features[NAME], artifact, "val")
    some = whole.take(np.array([5, 2]))
    assert len(some) == 2
    (levels, _), targets = some.batch(np.array([1, 0]))
    (wanted, _), truth = whole.batch(np.array([2, 5]))
    assert (targets == truth).all()
    assert all((a == b).all() for a, b in zip(levels, wanted, strict=True))
