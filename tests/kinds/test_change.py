"""What is change's own."""

import pytest
import torch

from eosfm.kinds import KINDS, TargetStatistics

KIND = KINDS["change"]


def test_that_all_has_changed_is_the_better_constant_answer() -> None:
    target = torch.zeros(1, 4, 5, dtype=torch.long)
    target[0, 0, :4] = 1  # a fifth
    scores = []
    for seen in KIND.constants(TargetStatistics((80, 20), 100)):
        metrics = KIND.build_metrics(("same", "changed"), 255)
        metrics.update(KIND.constant_logits(seen, target), target)
        scores.append(metrics.compute()["f1"])
    assert scores == pytest.approx([0.0, 2 * 0.2 / 1.2])


def test_of_several_ways_of_change_each_counts() -> None:
    classes = ("same", "slight", "heavy")
    target = torch.tensor([[[0, 0, 1, 1, 2]]])
    answer = torch.tensor([[[0, 0, 0, 1, 2]]])
    metrics = KIND.build_metrics(classes, 255)
    metrics.update(torch.nn.functional.one_hot(answer, 3).movedim(-1, 1).float(), target)
    assert metrics.compute()["f1"] == pytest.approx((2 / 3 + 1) / 2)
    seen = KIND.constants(TargetStatistics((2, 2, 1), 5))
    assert [one.counts for one in seen] == [(2, 2, 1), (0, 5, 0), (0, 0, 5)]
