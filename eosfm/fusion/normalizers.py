"""What makes the pyramids of different specialists comparable, for every level on its own."""

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that normalises before any training too, and takes single pixels.

    Until statistics have been tracked the batch's own are used, in evaluation as well; one value
    per channel has no variance, so there the tracked statistics are used, in training as well.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        # num_batches_tracked as a plain value: reading it would stop exports and wait for a GPU.
        self.tracked = False
        self.register_load_state_dict_post_hook(_read_tracked)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if self.training and not _single(input):
            self.tracked = True
            return super().forward(input)
        own = not self.tracked and not _single(input)
        return F.batch_norm(
            input,
            None if own else self.running_mean,
            None if own else self.running_var,
            self.weight,
            self.bias,
            own,
            0.0,
            self.eps,
        )


def _read_tracked(norm: BatchNorm, incompatible_keys: Any) -> None:
    norm.tracked = int(cast(Tensor, norm.num_batches_tracked)) > 0


def _single(input: Tensor) -> bool:
    """Whether there is one value per channel."""
    return input.numel() == input.shape[1]


class LayerNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel.

    timm has one too, but takes two seconds to import, which fusing stored features can do without.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


NORMALIZERS: dict[str, Callable[[int], nn.Module]] = {
    "batch": BatchNorm,
    "layer": LayerNorm,
    "none": nn.Identity,
}
"""Every normaliser, built from the channels of a level."""
