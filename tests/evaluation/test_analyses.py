"""The analyses of one task, on two specialists."""

import pytest

from eosfm.evaluation.analyses import FRACTIONS, analyse_task
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.head import run_head

NAME = "segmentation"


@pytest.fixture(scope="module")
def task(resolve):
    return resolve(NAME, protocol={"epochs": 1, "steps_per_epoch": 6})


@pytest.fixture(scope="module")
def analysis(task, features, artifact):
    return analyse_task(task, "convnextv2_atto", features[NAME], artifact)


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
    for found, fusion in ((analysis.counts["all"], everyone), (analysis.labels["1"], FIXED)):
        assert found.test == pytest.approx(run_head(task, fusion, opened(NAME), 1).test)
