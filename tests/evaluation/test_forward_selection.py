"""Forward selection: the specialists that inform, alone and together, the rest being noise."""

import dataclasses

import numpy as np
import pytest
import torch

from eosfm.encoding.input import SPECTRAL, InputSpec
from eosfm.evaluation.forward_selection import (
    _by_cell,
    _components,
    enough,
    explained_alone,
    fill_unknown,
    ranked,
    sample_cells,
    select_forward,
)
from eosfm.evaluation.trial import make_trials
from eosfm.features.frozen import FrozenFeatures
from eosfm.features.source import StoredLevels
from tests.evaluation.signals import SIZE, WHOLE, enlarged, in_memory, noise_and_signal


@pytest.mark.parametrize("name", ["segmentation", "change", "classification", "regression"])
@pytest.mark.parametrize("informative", [0, 2])
def test_alone_it_finds_the_specialist_that_informs(resolve, name, informative):
    rng = np.random.default_rng(0)
    shape = () if name == "classification" else (SIZE // 4, SIZE // 4)
    splits = []
    for seed in (1, 2):
        small = torch.from_numpy(rng.integers(0, 2, (40, *shape)))
        target = small if name == "classification" else enlarged(small)
        if name == "regression":
            target = target.float()
            target[:, :4] = torch.nan
        splits.append(noise_and_signal(target, informative, 2 if name == "change" else 1, seed))
    trial = make_trials(resolve(name), splits[0].some_targets(), 1)[0]
    scores = explained_alone(*splits, trial)
    assert ranked(scores)[0] == f"s{informative}"
    assert scores[f"s{informative}"] > 0.2
    assert all(score < 0.1 for key, score in scores.items() if key != f"s{informative}")


def test_unlabelled_pixels_do_not_explained_alone(resolve):
    """Labels that are hidden would name another specialist."""
    rng = np.random.default_rng(3)
    small = torch.from_numpy(rng.integers(0, 2, (40, SIZE // 4, SIZE // 4)))
    truth = enlarged(small)
    hidden = truth.clone()
    hidden[:, :, SIZE // 2 :] = 255
    trial = make_trials(resolve("segmentation"), hidden.numpy(), 1)[0]
    splits = []
    for seed in (1, 2):
        right, wrong = (noise_and_signal(truth, i, 1, seed) for i in (1, 3))
        levels = [part.clone() for part in right.batch(np.arange(40))[0][0]]
        # The fourth specialist knows the hidden half, and only that.
        levels[0][..., 4:] = wrong.batch(np.arange(40))[0][0][0][..., 4:]
        splits.append(dataclasses.replace(right, source=in_memory(levels, hidden)))
    scores = explained_alone(*splits, trial)
    assert ranked(scores)[0] == "s1"
    assert scores["s3"] < 0.1


@pytest.fixture
def pair_of_signals(resolve):
    """Targets a + b of which s0 and s1 know a, s3 knows b (less of it), and s2 nothing."""

    def split(seed: int) -> FrozenFeatures:
        generator = torch.Generator().manual_seed(seed)
        a, b = torch.randn(2, 40, 8, 8, generator=generator)
        target = enlarged(a + 0.7 * b)
        encoded = noise_and_signal(target, 2, 1, seed)
        levels = [level.clone() for level in encoded.batch(np.arange(40))[0][0]]
        noise = torch.randn(len(target), 8, 8, generator=generator)
        for channel, signal in ((0, a), (6, a), (12, noise), (18, b)):
            levels[0][:, 0, channel] = (3 * signal).half()
        return dataclasses.replace(encoded, source=in_memory(levels, target))

    train, val = split(1), split(2)
    return train, val, make_trials(resolve("regression"), train.some_targets(), 1)[0]


def test_forward_selection_takes_no_copy_of_what_it_has(pair_of_signals):
    train, val, trial = pair_of_signals
    assert (
        ranked(explained_alone(train, val, trial))[2] == "s3"
    )  # alone it is worse than either copy
    first, second = select_forward(train, val, trial, 2)
    assert first in ("s0", "s1") and second == "s3"
    assert set(select_forward(train, val, trial, 3)) >= {first, "s3"}


def test_forward_selection_repeats_itself_and_gives_what_there_is(pair_of_signals):
    everyone = list(select_forward(*pair_of_signals, 9))
    torch.rand(3)
    assert list(select_forward(*pair_of_signals, 9)) == everyone
    assert sorted(everyone) == ["s0", "s1", "s2", "s3"]
    assert list(select_forward(*pair_of_signals, 2)) == everyone[:2]


def test_a_specialist_with_two_pyramids_is_chosen_once(pair_of_signals):
    train, val, trial = pair_of_signals
    specs = tuple(
        dataclasses.replace(spec, name={"s0": "s1"}.get(spec.name, spec.name))
        for spec in train.inputs
    )
    splits = [dataclasses.replace(split, inputs=specs) for split in (train, val)]
    assert list(select_forward(*splits, trial, 9))[:2] == ["s1", "s3"]
    assert len(select_forward(*splits, trial, 9)) == 3


def test_a_large_split_is_looked_at_here_and_there(pair_of_signals, monkeypatch):
    train, val, trial = pair_of_signals
    whole = explained_alone(train, val, trial)
    read = []
    stream = StoredLevels.stream

    def noted(self, requests):
        for request in requests:
            read.extend(request.items.tolist())
            yield from stream(self, [request])

    monkeypatch.setattr(StoredLevels, "stream", noted)
    monkeypatch.setattr("eosfm.evaluation.forward_selection.CELLS", 20)
    part = explained_alone(train, val, trial)
    assert len(read) == 2 * 20 and read[0] == 0 and read[19] == 39
    assert part != whole and set(ranked(part)[:2]) == {"s0", "s1"}


def test_of_few_labelled_pixels_all_are_looked_at(resolve, monkeypatch):
    """Two cells of 64 of each tile have a label; as many samples as there are tiles are read."""
    monkeypatch.setattr("eosfm.evaluation.forward_selection.CELLS", 40)
    rng = np.random.default_rng(5)
    splits = []
    for seed in (1, 2):
        truth = enlarged(torch.from_numpy(rng.integers(0, 2, (40, SIZE // 4, SIZE // 4))))
        sparse = torch.full_like(truth, 255)
        sparse[:, 4:8, 8:12], sparse[:, 20:24, :4] = truth[:, 4:8, 8:12], truth[:, 20:24, :4]
        right = noise_and_signal(truth, 1, 1, seed)
        (levels, _), _ = right.batch(np.arange(40))
        splits.append(dataclasses.replace(right, source=in_memory(levels, sparse)))
    trial = make_trials(resolve("segmentation"), splits[0].some_targets(), 1)[0]
    features, targets = sample_cells(splits[0], trial)
    assert len(features[0]) == len(targets) == 40
    scores = explained_alone(*splits, trial)
    assert ranked(scores)[0] == "s1" and scores["s1"] > 0.2


def test_fewer_are_enough_where_more_explain_no_more():
    path = {"a": 0.2, "b": 0.4, "c": 0.5, "d": 0.595, "e": 0.6, "f": 0.55}
    assert enough(path) == ["a", "b", "c", "d"]


def test_three_are_taken_however_little_they_explain():
    assert enough({"a": -0.1, "b": -0.3, "c": -0.4, "d": -0.5}) == ["a", "b", "c"]
    assert enough({"a": -0.1, "b": -0.3}) == ["a", "b"]


def test_who_is_not_chosen_changes_nothing_by_being_there(pair_of_signals):
    train, val, trial = pair_of_signals
    every = select_forward(train, val, trial, 2)
    (other,) = {"s0", "s1"} - set(every)
    for left_out in ("s2", other):
        names = [name for name in train.specialists if name != left_out]
        assert select_forward(train.only(names), val.only(names), trial, 2) == every


def test_dates_without_an_image_say_nothing(pair_of_signals):
    train, val, trial = pair_of_signals

    def longer(split):
        levels = [level.clone() for level in split.batch(np.arange(40))[0][0]]
        levels = [torch.cat([x, torch.randn_like(x.float()).half()], dim=1) for x in levels]
        targets = torch.from_numpy(np.stack(list(split.source.targets(range(40)))))
        days = torch.tensor([[0.0, torch.nan]] * 40)
        return dataclasses.replace(split, source=in_memory(levels, targets), days=days)

    alone = select_forward(train, val, trial, 3)
    assert select_forward(longer(train), longer(val), trial, 3) == pytest.approx(alone, rel=1e-4)


def test_components_are_the_directions_in_which_features_vary_most():
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(500, 1, generator=generator)
    same = factor + 0.1 * torch.randn(500, 20, generator=generator)
    x = torch.cat([same, torch.randn(500, 40, generator=generator)], dim=1)
    parts, again = _components(x, x)
    assert parts.var(0).max() > 15, "twenty columns of one factor are one direction"
    torch.testing.assert_close(parts, again)


def test_a_cell_has_the_target_of_its_middle():
    target = torch.arange(64).view(1, 8, 8)
    assert _by_cell(target, torch.zeros(1, 3, 2, 2), 255).tolist() == [[18, 22, 50, 54]]
    target[0, 2, 2] = target[0, 6, 2:] = target[0, :4, 4:] = 255  # of one cell, all is unlabelled
    assert _by_cell(target, torch.zeros(1, 3, 2, 2), 255).tolist() == [[0, 255, 32, 36]]
    values = target.float().where(target != 255, torch.nan)
    assert _by_cell(values, torch.zeros(1, 3, 2, 2), 255).nan_to_num(255).tolist() == [
        [0, 255, 32, 36]
    ]


@pytest.mark.parametrize("name", ["segmentation", "regression"])
def test_labels_that_miss_the_middle_of_every_cell_choose_too(resolve, name):
    """Points, of which each tile has eight."""
    rng = np.random.default_rng(4)
    splits = []
    for seed in (1, 2):
        target = enlarged(torch.from_numpy(rng.integers(0, 2, (40, SIZE // 4, SIZE // 4))))
        points = torch.full_like(target, 255)
        points[:, 1::4, 7] = target[:, 1::4, 7]
        if name == "regression":
            points = points.float().where(points < 255, torch.nan)
        encoded = noise_and_signal(target, 1, 1, seed)
        levels = list(encoded.batch(np.arange(40))[0][0])
        splits.append(dataclasses.replace(encoded, source=in_memory(levels, points)))
    trial = make_trials(resolve(name), splits[0].some_targets(), 1)[0]
    assert len(sample_cells(splits[0], trial)[1]) == 40 * SIZE // 4
    assert next(iter(select_forward(*splits, trial, 2))) == "s1"


def test_bands_are_in_every_team(resolve):
    """They know the labels, and the specialists nothing: the first explains what they do."""

    def split(seed: int) -> FrozenFeatures:
        generator = torch.Generator().manual_seed(seed)
        targets = torch.randint(0, 2, (60,), generator=generator)
        specs = (
            *(InputSpec(name, channels=(6,) * 4, index=i) for i, name in enumerate("ab")),
            InputSpec(SPECTRAL, channels=(2,) * 4),
        )
        levels = [torch.randn(60, 1, 14, 1, 1, generator=generator) for _ in range(4)]
        levels[0][:, 0, 12, 0, 0] += 6 * targets
        source = in_memory(levels, targets)
        return FrozenFeatures(source, torch.zeros(60, 1), WHOLE, inputs=specs)

    train, val = split(0), split(1)
    trial = make_trials(resolve("classification"), train.some_targets(), 1)[0]
    (explained,) = select_forward(train, val, trial, 1).values()
    assert explained > 0.5


def test_an_unknown_label_is_as_the_mean_of_the_known():
    target = torch.tensor([[1, 0], [1, 255], [0, 255], [255, 255]])
    filled = fill_unknown(target, target != 255)
    expected = [[1, 0], [1, 0], [0, 0], [2 / 3, 0]]
    torch.testing.assert_close(filled, torch.tensor(expected, dtype=torch.float64))
    given = fill_unknown(target, target != 255, torch.tensor([0.1, 0.3]).double())
    assert given.tolist() == [[1, 0], [1, pytest.approx(0.3)], [0, pytest.approx(0.3)],
                              [pytest.approx(0.1), pytest.approx(0.3)]]  # fmt: skip
