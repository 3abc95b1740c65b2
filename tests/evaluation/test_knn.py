"""k nearest neighbours: separable blobs, by hand, and labels that do not vote."""

import math

import torch

from eosfm.encoding.input import InputSpec
from eosfm.evaluation.knn import TEMPERATURE, score_knn, vote
from eosfm.evaluation.trial import make_trials
from eosfm.features.frozen import FrozenFeatures
from tests.evaluation.signals import WHOLE, in_memory


def blobs(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    return 4 * torch.eye(3)[labels] + torch.randn(count, 3, generator=generator) * 0.5, labels


def test_separable_blobs_are_told_apart():
    reference, labels = blobs(60, 0)
    query, truth = blobs(30, 1)
    logits = vote(reference, labels, query, 3, 255)
    assert (logits.argmax(1) == truth).all()


def test_queries_in_parts_are_all_of_them(monkeypatch):
    reference, labels = blobs(60, 0)
    query, _ = blobs(30, 1)
    whole = vote(reference, labels, query, 3, 255)
    monkeypatch.setattr("eosfm.evaluation.knn.QUERIES", 7)
    torch.testing.assert_close(vote(reference, labels, query, 3, 255), whole)


def test_labels_that_are_not_exclusive():
    reference, labels = blobs(60, 0)
    both = torch.stack([labels == 0, labels != 2, torch.ones(60)], dim=1).long()
    query, truth = blobs(30, 1)
    logits = vote(reference, both, query, 3, 255)
    expected = torch.stack([truth == 0, truth != 2, torch.ones(30)], dim=1).bool()
    assert ((logits > 0) == expected).all()


def test_weights_by_hand():
    reference = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    logits = vote(reference, torch.tensor([0, 1]), torch.tensor([[2.0, 0.0]]), 2, 255)
    share = 1 / (1 + math.exp((0.6 - 1) / TEMPERATURE))
    torch.testing.assert_close(logits.exp(), torch.tensor([[share, 1 - share]]))


def test_unlabelled_neighbours_do_not_vote():
    reference = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    query = torch.tensor([[1.0, 0.0]])
    logits = vote(reference, torch.tensor([255, 1]), query, 2, 255)
    assert logits.argmax() == 1


def test_what_is_not_known_of_a_neighbour_has_no_say():
    """Of twelve neighbours two have the label, one lacks it, and of nine nobody knows."""
    reference = torch.eye(2)[[0] * 12]
    targets = torch.tensor([[1, 1]] * 2 + [[0, 0]] + [[255, 1]] * 9)
    logits = vote(reference, targets, torch.tensor([[1.0, 0.0]]), 2, 255)
    torch.testing.assert_close(logits.sigmoid(), torch.tensor([[2 / 3, 11 / 12]]))


def test_tiles_without_a_label_take_nobodys_place():
    reference = torch.eye(2)[[0] * 30 + [1]]
    targets = torch.tensor([255] * 30 + [1])
    logits = vote(reference, targets, torch.tensor([[1.0, 0.1]]), 2, 255)
    assert logits.argmax() == 1


def test_channels_count_alike_whatever_their_unit_and_offset(resolve):
    splits = []
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(40) % 2
        levels = [torch.randn(40, 1, 2, side, side, generator=generator) for side in (8, 4, 2, 1)]
        for level in levels:
            level[:, :, 0] = 5 + 0.01 * (4 * labels[:, None, None, None] + level[:, :, 0])
            level[:, :, 1] *= 100
        inputs = (InputSpec("a", channels=(2,) * 4, index=0),)
        days = torch.zeros(40, 1)
        splits.append(FrozenFeatures(in_memory(levels, labels), days, WHOLE, inputs=inputs))
    (trial,) = make_trials(resolve("classification"), splits[0].some_targets(), 1)
    assert score_knn(*splits, trial).scores["accuracy"] == 1
