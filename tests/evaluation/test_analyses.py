"""The analyses of one task, on two specialists."""

from functools import partial

import pytest

from eosfm.core.splits import Splits
from eosfm.evaluation.analyses import FRACTIONS, analyse_task
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.fit import Context
from eosfm.evaluation.head import run_head
from eosfm.evaluation.late_fusion import pixel_voter
from eosfm.evaluation.trial import make_trials
from eosfm.features.reading import read_split
from tests.fixtures.tasks import BACKBONE

NAME = "segmentation"


@pytest.fixture(scope="module")
def task(resolve):
    return resolve(NAME, protocol={"epochs": 1, "steps_per_epoch": 6})


@pytest.fixture(scope="module")
def analysis(task, features, artifact):
    return analyse_task(task, BACKBONE, features[NAME], artifact, 1.0)


def test_every_part_is_answered(analysis):
    assert analysis.counts.keys() == {"1", "all"}
    assert len(analysis.counts["1"].selected) == 1
    assert set(analysis.counts["all"].selected) == {"colour", "pair"}
    assert set(analysis.alone) == set(analysis.without) == {"colour", "pair"}
    # With two specialists, to be without one is to have the other alone.
    assert analysis.alone["colour"] == analysis.without["pair"]
    assert list(analysis.labels) == [f"{fraction:g}" for fraction in FRACTIONS]
    assert list(analysis.scratch) == list(analysis.labels)
    tiles = [result.labels for result in analysis.labels.values()]
    assert tiles == sorted(tiles) and tiles[-1] == 16  # half of 32 are labelled


def test_all_specialists_and_all_labels_are_whole_fits(task, analysis, opened):
    everyone = FIXED.model_copy(update={"max_encoders": None})
    splits, readings = opened(NAME), Splits.of(partial(read_split, task))
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    voter = pixel_voter(trial, readings)
    for found, fusion in ((analysis.counts["all"], everyone), (analysis.labels["1"], FIXED)):
        whole = run_head(task, fusion, splits, 1, Context(voter=voter))
        assert found.test == pytest.approx(whole.test)
