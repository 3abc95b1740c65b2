"""A fusion that starts from the labels."""

import torch

from eosfm.evaluation.directions import label_directions
from eosfm.evaluation.fit import score
from eosfm.evaluation.probe import build_probe
from eosfm.evaluation.trial import make_trials, seeded


def fresh(params, task, splits):
    (trial,) = make_trials(task, splits.train.some_targets(), 1)
    with seeded(trial):
        return build_probe(params.fusion, splits.train.inputs, trial), trial


def test_first_channels_tell_the_classes_apart(params, resolve, opened):
    task, splits = resolve("segmentation"), opened("segmentation")
    probe, trial = fresh(params, task, splits)
    before = [mixer.weight.clone() for mixer in probe.fusing.fuser.mixers]
    probe = label_directions(probe.fusing.fuser, splits.train, trial).start(probe)
    val = splits.val.prepared(probe.fusing.prepare)
    (levels, _), target = val.batch(torch.arange(len(val)).numpy())
    with torch.no_grad():
        finest = probe.fusing(levels)[0][:, 0]
    centres = target[:, 2::4, 2::4]
    assert (finest[:, :2].argmax(dim=1) == centres).float().mean() > 0.9
    for mixer, old in zip(probe.fusing.fuser.mixers, before, strict=True):
        assert torch.equal(mixer.weight[2:], old[2:])  # the others start at random as before
        assert mixer.weight.isfinite().all()


def test_a_regression_has_one_direction(params, resolve, opened):
    task, splits = resolve("regression"), opened("regression")
    probe, trial = fresh(params, task, splits)
    directions = label_directions(probe.fusing.fuser, splits.train, trial)
    assert [len(weight) for weight in directions.weights] == [1, 1, 1, 1]
    assert score([directions.start(probe).eval()], splits.val.prepared(probe.fusing.prepare), trial)
