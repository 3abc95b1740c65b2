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
