"""Small ensembles: a ConvNeXtV2 of 20 thousand parameters, weights random down to every GRN."""

import zlib
from dataclasses import replace

import pytest
import timm
import torch
from timm.models import register_model

from eosfm.bands import S2_BANDS
from eosfm.ensemble import Specialist, randomize

S2_L2A = tuple(name for name in S2_BANDS if name != "B10")


@register_model
def smallnext(pretrained=False, **kwargs):
    return timm.create_model("convnextv2_atto", depths=(1, 1, 1, 1), dims=(8, 12, 16, 24), **kwargs)


@register_model
def widenext(pretrained=False, **kwargs):
    return timm.create_model("convnextv2_atto", depths=(1, 1, 1, 1), dims=(8, 16, 16, 32), **kwargs)


@pytest.fixture(scope="session")
def make_specialist():
    """Build a specialist; every weight random, those that start as zero too."""

    def make(name, bands, backbone="smallnext", **known):
        in_chans = bands if isinstance(bands, int) else len(bands)
        bands = None if isinstance(bands, int) else tuple(bands)
        (fresh,) = randomize([Specialist(name, backbone, in_chans, {}, bands, **known)], seed=0)
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        weights = {
            key: value + 0.1 * torch.randn(value.shape, generator=generator)
            if value.is_floating_point() and "running_var" not in key
            else value
            for key, value in fresh.state_dict.items()
        }
        return replace(fresh, state_dict=weights)

    return make


@pytest.fixture(scope="session")
def mixed(make_specialist):
    """One specialist of every published kind of input."""
    return [
        make_specialist("rgb", ("red", "green", "blue")),
        make_specialist("s2", S2_BANDS),
        make_specialist("nrg", ("nir", "red", "green")),
        make_specialist("all", ("vv", "vh", *S2_L2A)),
        make_specialist("s1", ("vv", "vh", "vh")),
        make_specialist("l2a", S2_L2A),
        make_specialist("dual", ("vv", "vh")),
        make_specialist("every", ("vv", "vh", *S2_BANDS)),
    ]
