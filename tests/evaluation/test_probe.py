"""What is trained on images."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from eosfm.evaluation.probe import EndToEnd
from eosfm.evaluation.trial import make_trials
from eosfm.features.reading import read_split
from eosfm.nn.pyramid import STRIDES


def test_maps_lie_where_the_image_does_whatever_its_size(resolve):
    task = resolve("segmentation")
    (trial,) = make_trials(task, read_split(task, "train").targets(range(4)), 1)

    def backbone(images):
        return [F.avg_pool2d(images, stride) for stride in STRIDES]

    model = EndToEnd(backbone, [3] * 4, trial)
    model.head = Finest()
    image = torch.randn(2, 1, 3, 10, 18).repeat_interleave(4, -1).repeat_interleave(4, -2)
    answer = model((image, torch.zeros(2, 1)), (40, 72))
    torch.testing.assert_close(answer, image[:, 0])  # cells of 4 px, each at its own place
    for level, stride in zip(model.head.maps, STRIDES, strict=True):
        assert level.shape[2:] == (math.ceil(40 / stride), math.ceil(72 / stride))


class Finest(nn.Module):
    """The finest map, enlarged."""

    def forward(self, maps, size):
        self.maps = maps
        return F.interpolate(maps[0], size, mode="nearest")
