import pytest
import torch

from eosfm.encoding.models import SpecialistModels
from eosfm.model import EosFM


@pytest.fixture
def few(mixed):
    torch.manual_seed(0)
    return mixed[:5]


@pytest.fixture
def exact(monkeypatch):
    """Convolutions in single precision: by default their products have ten bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def test_maps_equal_those_of_the_cpu(few, exact):
    backbone = EosFM.from_specialists(few, in_chans=13, max_encoders=2).eval()
    x = torch.randn(2, 13, 50, 64)
    expected = backbone(x)
    small = backbone.cuda().prune()
    for maps in (backbone(x.cuda()), small(x.cuda())):
        for one, two in zip(maps, expected, strict=True):
            torch.testing.assert_close(one.cpu(), two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [64, 96])
def test_half_precision_is_near_single_precision(few, size):
    backbone = EosFM.from_specialists(few, in_chans=13).eval().cuda()
    x = torch.randn(2, 13, size, size, device="cuda")
    with torch.no_grad():
        expected = backbone(x)
        with torch.autocast("cuda", torch.bfloat16):
            maps = backbone(x)
    for one, two in zip(maps, expected, strict=True):
        assert (one.float() - two).norm() < 0.03 * two.norm()


def test_several_encoders_in_one_call_equal_one_by_one(few, exact):
    models = SpecialistModels(few).cuda()
    images = [(i, torch.randn(2, each.in_chans, 64, 64).cuda()) for i, each in enumerate(few)]
    for together, alone in zip(models.run_grouped(images), models.run_alone(images), strict=True):
        for one, two in zip(together, alone, strict=True):
            torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)
