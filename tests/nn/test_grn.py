"""Response norms: the same function as timm's, to its second derivative."""

import torch
from timm.layers.grn import GlobalResponseNorm

from eosfm.nn.grn import LeanResponseNorm, use_lean_norms


def test_it_is_the_function_of_timm_and_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    norm = GlobalResponseNorm(3, channels_last=False).double()
    for weight in norm.parameters():
        torch.nn.init.normal_(weight)
    x = torch.randn(2, 3, 2, 4, dtype=torch.double, requires_grad=True)
    expected = norm(x)
    use_lean_norms(norm)
    assert type(norm) is LeanResponseNorm
    torch.testing.assert_close(norm(x), expected)
    assert torch.autograd.gradgradcheck(norm, x)
