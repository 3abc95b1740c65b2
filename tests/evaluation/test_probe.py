"""What is trained on images, and what a closed form sees of features."""

import math
from dataclasses import asdict

import torch
from torch import nn
from torch.nn import functional as F

from eosfm.encoding.input import SPECTRAL, InputSpec
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.probe import EndToEnd, PooledProbe, build_fuser
from eosfm.evaluation.trial import make_trials
from eosfm.features.reading import read_split
from eosfm.fusion.fuser import FusionOptions
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


INPUTS = [InputSpec(name, channels=(2, 3, 4, 5), index=i) for i, name in enumerate("ab")]


def test_every_option_reaches_the_fuser():
    options = FusionOptions("mlp", 0.5, "layer", True, 1, "smooth", True)
    asked = {"method": options.fusion, **asdict(options)}
    assert build_fuser(FIXED.model_copy(update=asked), INPUTS).options == options
    # Of nine, there are two beside the bands; who is selected beforehand is not selected again.
    many = FIXED.model_copy(update={"max_encoders": 9, "selection": "forward"})
    bands = InputSpec(SPECTRAL, channels=(6,) * 4)
    fuser = build_fuser(many, [*INPUTS, bands])
    assert (fuser.options.max_encoders, fuser.options.selection) == (2, "topk")


def test_features_are_averaged_as_they_are_where_no_normalisation_is_asked_for(resolve):
    task = resolve("classification")
    (trial,) = make_trials(task, read_split(task, "train").targets(range(4)), 1)
    fusion = FIXED.model_copy(update={"normalize": "none"})
    levels = [torch.randn(3, 1, 2 * width, 4, 4) for width in INPUTS[0].channels]
    found = PooledProbe(fusion, INPUTS, trial).pooled((levels, torch.zeros(3, 1)))
    torch.testing.assert_close(found, torch.cat([level.mean((1, 3, 4)) for level in levels], 1))
