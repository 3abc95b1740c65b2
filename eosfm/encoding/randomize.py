"""An ensemble before any training."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from eosfm.core.seeds import derive_seed
from eosfm.nn.backbone import build_backbone
from eosfm.nn.specialist import Specialist


def randomize(specialists: Sequence[Specialist], seed: int) -> list[Specialist]:
    """The same ensemble with freshly initialised weights.

    Each specialist's weights depend on the seed and its name alone.
    """
    fresh = []
    for specialist in specialists:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, specialist.name))
            model = build_backbone(specialist.backbone, specialist.in_chans, pretrained=False)
        fresh.append(replace(specialist, state_dict=model.state_dict()))
    return fresh
