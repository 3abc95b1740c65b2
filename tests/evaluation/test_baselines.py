"""Baselines: all in the same metrics, on the same labels."""

import threading
from dataclasses import replace
from functools import partial

import pytest
import torch

from eosfm.core.splits import Splits
from eosfm.encoding.input import SPECTRAL
from eosfm.evaluation import baselines, trial
from eosfm.evaluation.baselines import adapted, from_scratch, random_weights, run_baselines
from eosfm.features.reading import read_split
from eosfm.nn.specialist import load_specialist
from tests.fixtures.tasks import BACKBONE


@pytest.mark.parametrize("name", ["classification", "change"])
def test_baselines_answer_with_the_same_metrics(resolve, artifact, start, features, name):
    task = resolve(name, protocol={"epochs": 2, "steps_per_epoch": 6})
    results = run_baselines(task, BACKBONE, features[name], artifact, start, 1.0)
    assert list(vars(results)) == ["random", "start", "single", "scratch", "statistics"]
    assert results.single.selected in (("colour",), ("pair",))
    assert results.scratch.selected == results.statistics.selected == ()
    for result in vars(results).values():
        assert 0 <= result.test[task.metric] <= 1
        assert result.score == result.test[task.metric]
        assert len(result.fits) == 1 and result.labels == 16
    assert results.random.test[task.metric] > 0.6
    assert results.statistics.fits[0].pixel_share == 0  # it is the linear model itself
    assert results.start.selected == ("start",)


def test_every_fit_has_random_weights_of_its_own(resolve, artifact):
    task = resolve("segmentation", protocol={"epochs": 1, "steps_per_epoch": 4})
    readings = Splits.of(partial(read_split, task))
    one, two = (random_weights(task, artifact, readings, count, 1.0) for count in (1, 2))
    assert one.fits[0] == two.fits[0] != two.fits[1]


@pytest.mark.parametrize("standardize", ["dataset", "specialist"])
@pytest.mark.parametrize("name", ["segmentation", "classification", "change", "series"])
def test_from_scratch_sees_every_band_and_the_bands_themselves(
    monkeypatch, resolve, name, standardize
):
    seen, end_to_end = [], baselines.EndToEnd

    def noted(backbone, channels, trial):
        seen.append((backbone.inputs, backbone.fuser.names))
        return end_to_end(backbone, channels, trial)

    monkeypatch.setattr(baselines, "EndToEnd", noted)
    task = resolve(name, protocol={"epochs": 1, "steps_per_epoch": 1})
    task = replace(task, standardize=standardize)
    from_scratch(task, BACKBONE, Splits.of(partial(read_split, task)), 1, 1.0)
    ((inputs, fused),) = seen
    assert fused == (["scratch"] if standardize == "specialist" else ["scratch", SPECTRAL])
    assert sorted(inputs[0].channel_map) == list(range(len(task.bands)))


@pytest.mark.parametrize("head", ["ridge", "knn"])
def test_from_scratch_answers_with_the_head_of_the_others(resolve, head):
    def score(head, lr):
        task = resolve("classification", protocol={"epochs": 1, "steps_per_epoch": 1, "lr": lr})
        task = replace(task, head=head)
        readings = Splits.of(partial(read_split, task))
        result = from_scratch(task, BACKBONE, readings, 2, 1.0)
        assert len(result.fits) == 2 and result.fits[0].test != {}
        return result.test["accuracy"]

    # Nothing is learnt in one such step, but the classes differ by colour, which the bands hold.
    assert score(head, 1e-9) > max(0.6, score("linear", 1e-9))


def test_start_weights_see_every_band(resolve, start):
    given = load_specialist(start)
    task = replace(resolve("segmentation"), bands=("blue", "red"))
    found = adapted(given, task)
    assert (found.in_chans, found.bands) == (2, task.bands)
    stem, own = "stem_0.weight", given.state_dict["stem_0.weight"]
    assert torch.allclose(found.state_dict[stem], own[:, :2] * 3 / 2)
    assert found.mean == tuple(task.store.mean[name] for name in task.bands)
    others = given.state_dict.keys() - {stem}
    assert all(torch.equal(found.state_dict[key], given.state_dict[key]) for key in others)


def test_start_weights_get_their_own_bands_in_any_order(resolve, start):
    given, task = load_specialist(start), resolve("segmentation")
    found = adapted(given, replace(task, bands=("blue", "green", "red")))
    assert found.bands == given.bands == ("red", "green", "blue")
    assert found.mean == tuple(task.store.mean[name] for name in found.bands)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("segmentation", "linear"),
        ("classification", "linear"),
        ("classification", "ridge"),
        ("classification", "knn"),
    ],
)
def test_random_numbers_are_drawn_one_model_at_a_time(
    monkeypatch, resolve, artifact, start, features, name, head
):
    drawing = OneAtATime()
    monkeypatch.setattr(trial, "_DRAWING", drawing)
    torch.manual_seed(0)
    task = replace(resolve(name, protocol={"epochs": 1, "steps_per_epoch": 2}), head=head)
    run_baselines(task, BACKBONE, features[name], artifact, start, 1.0)
    assert drawing.models
    with drawing:  # once more: after the last
        pass
    assert not drawing.elsewhere


class OneAtATime:
    """The lock of who draws random numbers, which knows whether anybody drew without it."""

    def __init__(self) -> None:
        self.lock, self.models, self.elsewhere = threading.Lock(), 0, []

    def __enter__(self) -> None:
        self.lock.acquire()
        if self.models and not torch.equal(self.state, torch.get_rng_state()):
            self.elsewhere.append(self.models)
        self.models += 1

    def __exit__(self, *_: object) -> None:
        self.state = torch.get_rng_state()
        self.lock.release()
