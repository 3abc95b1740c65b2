"""Where features are encoded as they are read: one encoding serves every fit."""

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.evaluation.baselines import FIXED, run_baselines
from eosfm.evaluation.fit import Context
from eosfm.evaluation.head import run_head
from eosfm.evaluation.learner import Learner
from eosfm.features.encode import encode_task, open_features
from tests.fixtures.tasks import BACKBONE

EPOCHS, STEPS = 3, 8

ALL = FIXED.model_copy(update={"max_encoders": None})


@pytest.fixture
def live(resolve, artifact, tmp_path, monkeypatch):
    """``live(name, **changes)``: a task with features that are encoded as they are read."""
    # Else features of tiles that are seen whole would be prepared once.
    monkeypatch.setattr("eosfm.features.frozen.KEPT_GB", 0.0)

    def make(name, **changes):
        task = resolve(name, **changes)
        encode_task(task, artifact, tmp_path / name, max_gb=0.0)
        return task, open_features(task, tmp_path / name, artifact)

    return make


@pytest.fixture
def encoded(monkeypatch):
    """The images of every encoder pass, and the pyramids that were asked for."""
    calls = []
    encode = EnsembleEncoder.encode

    def counted(self, x, indices=None):
        calls.append((len(x), indices))
        return encode(self, x, indices)

    monkeypatch.setattr(EnsembleEncoder, "encode", counted)
    return calls


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_batch_is_encoded_once_for_all_fits(live, encoded, seeds):
    task, splits = live("segmentation")
    result = run_head(task, ALL, splits, seeds)
    assert len(result.fits) == seeds
    # Beside one image of each split, which says how large prepared features are.
    assert [images for images, _ in encoded[:3]] == [1] * 3
    # An epoch is eight batches and a pass over the validation tiles; at the end comes test.
    assert [images for images, _ in encoded[3:]] == ([8] * STEPS + [12]) * EPOCHS + [12]


def test_one_of_several_that_diverges_stops_them_with_a_line(live, monkeypatch):
    task, splits = live("segmentation")
    step, learners = Learner.step, []

    def struck(self, *args):
        learners.extend([self] if self not in learners else [])
        return step(self, *args) * (float("nan") if self is learners[-1] else 1)

    monkeypatch.setattr(Learner, "step", struck)
    with pytest.raises(EosfmError, match="fitting segmentation diverged: loss nan in epoch 1"):
        run_head(task, ALL, splits, 3)
    assert len(learners) == 3


def test_only_the_selected_specialists_are_encoded(live, encoded):
    task, splits = live("segmentation")
    fusion = FIXED.model_copy(update={"max_encoders": 1})
    result = run_head(task, fusion, splits, 2)
    (name,) = result.selected
    used = (i for i, spec in enumerate(splits.train.inputs) if spec.spectral or spec.name == name)
    looked, trained = encoded[:2], encoded[2:]  # some training and validation tiles to select by
    assert [pyramids for _, pyramids in looked] == [(0, 1, 2)] * 2  # the bands are the last
    assert {pyramids for _, pyramids in trained} == {tuple(used)}


def test_five_of_seven_are_encoded_alone(resolve, make_specialist, encoded, tmp_path, monkeypatch):
    monkeypatch.setattr("eosfm.features.frozen.KEPT_GB", 0.0)
    path, folder, task = tmp_path / "eosfm.pth", tmp_path / "features", resolve("segmentation")
    save_artifact(path, [make_specialist(f"s{n}", ("red", "green", "blue")) for n in range(7)])
    encode_task(task, path, folder, max_gb=0.0)
    fusion = FIXED.model_copy(update={"max_encoders": 5})
    result = run_head(task, fusion, open_features(task, folder, path), 2)
    five = tuple(sorted(int(name.removeprefix("s")) for name in result.selected))
    assert len(five) == 5
    assert {pyramids for _, pyramids in encoded[2:]} == {(*five, 7)}  # and the bands
    assert [images for images, _ in encoded[5:]] == ([8] * STEPS + [12]) * EPOCHS + [12]


def test_features_that_are_encoded_as_they_are_read_score_like_stored_ones(live, opened):
    task, splits = live("segmentation")
    found, stored = (run_head(task, ALL, s, 1) for s in (splits, opened("segmentation")))
    assert found.test == pytest.approx(stored.test, abs=0.02)


def test_the_first_of_many_fits_is_the_only_one_of_one(live):
    task, splits = live("regression")
    one, three = (run_head(task, ALL, splits, count) for count in (1, 3))
    assert three.fits[0] == one.fits[0]
    assert len({fit.val["rmse"] for fit in three.fits}) > 1  # their weights are their own


def test_large_tiles_are_cropped_in_training_and_scored_whole(live, encoded):
    task, splits = live("segmentation", protocol={"window": 16, "epochs": 6})
    result = run_head(task, ALL, splits, 2)
    assert splits.test.windows.count == 4
    # One window of each tile in training, all four in validation and test.
    assert sum(images for images, _ in encoded) == 6 * STEPS * 8 + (6 + 1) * 12 * 4
    assert result.test["miou"] > 0.6


def test_epochs_are_validated_as_often_as_the_protocol_says(live, encoded):
    task, splits = live("segmentation", protocol={"validate_every": 2})
    log = []
    run_head(task, ALL, splits, 2, Context(lambda point, epoch: log.append(epoch)))
    assert log == [2, 3]
    assert [images for images, _ in encoded].count(12) == 2 + 1


def test_baselines_without_any_room(resolve, artifact, start, features):
    """Not even the random features are stored."""
    task = resolve("classification", protocol={"epochs": 2, "steps_per_epoch": 6})
    folder = features["classification"]
    without, stored = (
        run_baselines(task, BACKBONE, folder, artifact, start, max_gb) for max_gb in (0.0, 1.0)
    )
    assert without.random.test == pytest.approx(stored.random.test, abs=0.05)
    assert without.start.test == pytest.approx(stored.start.test, abs=0.05)
    assert without.single == stored.single


def test_nothing_of_a_split_stays_in_memory(live):
    _, splits = live("regression")
    held = [
        value
        for part in (splits.train, splits.train.source, splits.train.source.source)
        for value in vars(part).values()
        if isinstance(value, (np.ndarray, torch.Tensor))
    ]
    assert {tuple(value.shape) for value in held} == {(16, 1), (16,)}  # days and indices
