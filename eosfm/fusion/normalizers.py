"""What makes the maps of different specialists comparable, for every level on its own."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation without weights, as published, which takes single pixels too.

    One value per channel has no variance, so there the tracked statistics are used in training as
    well. Before any training they are zeros and ones.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if self.training and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, eps=self.eps)
        return super().forward(input)


class LayerNorm(nn.GroupNorm):
    """Layer normalisation over all channels and pixels of an image, without weights, as published.

    What it gives for a pixel depends on the whole window.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, affine=False)


class PixelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel, with weights.

    timm has one too, but takes two seconds to import, which fusing stored features can do without.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


NORMALIZERS: dict[str, Callable[[int], nn.Module]] = {
    "pixel": PixelNorm,
    "batch": BatchNorm,
    "layer": LayerNorm,
    "none": nn.Identity,
}
"""Every normaliser, built from the channels of a level."""
