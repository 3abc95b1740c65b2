"""Fitting: windows are scored as whole tiles, and the best epoch counts."""

import pytest
import torch
from torch import nn

from eosfm.evaluation.fit import _Best, score
from eosfm.evaluation.trial import make_trials
from eosfm.features.windows import Windows, sliding


class Brightness(nn.Module):
    """Says of each pixel whether it is bright."""

    def forward(self, images, size):
        assert images.shape[-2:] == size
        return torch.stack([0.5 - images, images - 0.5], dim=1)


class Tiles:
    """Five tiles whose pixels say their targets, but for one where they say the opposite."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        generator = torch.Generator().manual_seed(0)
        self.images = (torch.rand(5, *windows.tile, generator=generator) > 0.5).float()
        self.targets = self.images.long()
        self.targets[0] = 1 - self.targets[0]

    def __len__(self) -> int:
        return 5 * self.windows.count

    def batch(self, items):
        count = self.windows.count
        cut = [self.windows.cut(self.images[i // count], i % count) for i in items]
        return torch.stack(cut), torch.zeros(len(cut))


@pytest.mark.parametrize("window", [32, 12])
def test_windows_are_scored_as_whole_tiles(resolve, window):
    tiles = Tiles(sliding((32, 32), window, 4))
    (trial,) = make_trials(resolve("segmentation"), tiles.targets, 1)
    assert score(Brightness(), tiles, trial)["accuracy"] == pytest.approx(0.8)


@pytest.mark.parametrize(("metric", "best"), [("miou", 2), ("rmse", 1)])
def test_the_best_epoch_is_the_first_of_equals_in_the_metrics_own_direction(metric, best):
    model, kept = nn.Linear(1, 1), _Best(metric)
    for epoch, value in enumerate((0.3, 0.5, 0.5, 0.4), start=1):
        nn.init.constant_(model.weight, epoch)
        kept.offer({metric: value}, epoch, model)
    assert kept.epoch == best
    assert kept.state["weight"].item() == best


@pytest.mark.parametrize(
    ("name", "class_weights", "weighted"),
    [("segmentation", "balanced", True), ("segmentation", "none", False),
     ("regression", "balanced", False)],
)  # fmt: skip
def test_rare_classes_weigh_more_where_the_protocol_asks_for_it(
    resolve, name, class_weights, weighted
):
    task = resolve(name, protocol={"class_weights": class_weights})
    targets = torch.zeros(2, 4, 4, dtype=torch.float32 if name == "regression" else torch.int64)
    targets[0, 0] = 1
    (trial,) = make_trials(task, targets, 1)
    weights = getattr(trial.build_loss(), "weights", None)
    assert (weights is not None) == weighted
    if weighted:
        assert weights[1] > 1 > weights[0]
