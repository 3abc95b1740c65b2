"""The weights that specialists begin with, as a specialist file: ``models/start.pt``."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import Specialist, expected_shapes, load_specialist

NAME = "start"
FILE = Path("models/start.pt")
"""Where stage start puts it, from the project's root."""
RGB = ("red", "green", "blue")
EIGHT_BITS = 255
"""timm's statistics are for pixels from 0 to 1; ImageNet's are stored in eight bits."""


def random_start(backbone: str, seed: int) -> Specialist:
    """A backbone of three channels whose weights are drawn from a seed.

    Raises:
        EosfmError: timm has no such backbone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, NAME))
        weights = build_backbone(backbone, len(RGB)).state_dict()
    return Specialist(NAME, backbone, len(RGB), weights, RGB, facts={"source": "random"})


def imagenet_start(backbone: str) -> Specialist:
    """A backbone with timm's ImageNet weights, and the statistics of the images behind them.

    Raises:
        EosfmError: There are no such weights, or they cannot be had.
    """
    from timm.models import get_pretrained_cfg

    weights = build_backbone(backbone, len(RGB), pretrained=True).state_dict()
    config: Any = get_pretrained_cfg(backbone)
    return Specialist(
        name=NAME,
        backbone=backbone,
        in_chans=len(RGB),
        state_dict=weights,
        bands=RGB,
        units=("dn8",) * len(RGB),
        mean=tuple(EIGHT_BITS * value for value in config.mean),
        std=tuple(EIGHT_BITS * value for value in config.std),
        facts={"source": config.hf_hub_id, "licence": config.license},
    )


def started_weights(start: Specialist, in_chans: int) -> dict[str, Tensor]:
    """The start weights for any number of channels.

    For other than three channels the first convolution is adapted as in timm: its kernels are
    repeated in turn, and scaled so that their sum over the channels stays.
    """
    from timm.models import adapt_input_conv

    shapes = expected_shapes(start.backbone, in_chans)
    return {
        key: value if value.shape == shapes[key] else adapt_input_conv(in_chans, value)
        for key, value in start.state_dict.items()
    }


def build_started(path: Path, backbone: str, in_chans: int) -> nn.Module:
    """Build an encoder that begins with the start weights (see :func:`started_weights`).

    Args:
        path: File of the start weights.
        backbone: timm model name, which must be that of the file.
        in_chans: Channels of the encoder.

    Returns:
        timm's ``features_only`` model: (B, in_chans, H, W) to four maps.

    Raises:
        EosfmError: The file is missing or damaged, or of another backbone.
    """
    start = load_specialist(path)
    if start.backbone != backbone:
        raise EosfmError(
            f"{path} has weights of {start.backbone}, expected {backbone}; run `dvc repro start`"
        )
    model = build_backbone(backbone, in_chans)
    model.load_state_dict(started_weights(start, in_chans))
    return model
