"""EosFM as an encoder of segmentation_models_pytorch, and so of torchgeo's trainers.

    import segmentation_models_pytorch as smp
    from eosfm import EosFM
    from eosfm.interop.smp import register_encoder

    backbone = EosFM.from_artifact("models/eosfm.pth", bands=["B02", "B03", "B04", "B08"])
    register_encoder("eosfm", backbone)
    model = smp.Unet("eosfm", encoder_weights=None, in_channels=4, classes=3)

    from torchgeo.trainers import SemanticSegmentationTask
    task = SemanticSegmentationTask("upernet", "eosfm", in_channels=4, num_classes=3)

Each model gets a copy of the backbone: frozen specialists, a fusion that learns with the decoder.
torchgeo's ``freeze_backbone`` would freeze the fusion too.
"""

from typing import Any

from segmentation_models_pytorch.encoders import encoders
from torch import Tensor, nn

from eosfm.core.errors import EosfmError, expect
from eosfm.model import EosFM
from eosfm.nn.pyramid import STRIDES

DEEPEST = 5
"""Halvings from the image to the coarsest level, stride 32."""


def register_encoder(name: str, backbone: EosFM) -> None:
    """Let segmentation_models_pytorch know a backbone by a name, in this process.

    Args:
        name: What models are asked for; a name that was registered here before is given anew.
        backbone: Copied into each model.

    Raises:
        EosfmError: The library has an encoder of that name, or the backbone is none.
    """
    expect("backbone", backbone, isinstance(backbone, EosFM), "an EosFM, as from_artifact gives")
    if name in encoders and encoders[name]["encoder"] is not Encoder:
        raise EosfmError(f"segmentation_models_pytorch has an encoder {name!r}; use another name")
    encoders[name] = {
        "encoder": Encoder,
        "params": {"backbone": backbone},
        "pretrained_settings": {},
    }


class Encoder(nn.Module):
    """The library's contract: a map per halving, the image itself first.

    Nothing is known at stride 2: that map has no channels, as in the library's own transformers.

    Args:
        backbone: Its own from here on.
        depth: Halvings, 2 to 5.
        output_stride: 32; specialists are not dilated.

    Attributes:
        out_channels: Channels of each map.
        output_stride: Pixels per cell of the coarsest map.

    Raises:
        EosfmError: The decoder asks for another depth or stride.
    """

    def __init__(self, backbone: EosFM, depth: int = DEEPEST, output_stride: int = 32) -> None:
        super().__init__()
        if not 2 <= depth <= DEEPEST:
            raise EosfmError(f"encoder_depth is {depth}; choose 2 to {DEEPEST}")
        if output_stride != STRIDES[-1]:
            raise EosfmError(
                f"the decoder asks for output stride {output_stride}, but specialists give "
                f"{STRIDES[-1]}; choose another decoder, Unet, FPN or UPerNet for instance"
            )
        self.backbone = backbone
        self.depth = depth
        self.output_stride = min(STRIDES[-1], 2**depth)
        channels = [backbone.input.in_chans, 0, *backbone.out_channels]
        self.out_channels = channels[: depth + 1]

    def set_in_channels(self, in_channels: int, pretrained: Any = False) -> None:
        """Compare the model's ``in_channels`` with the backbone's.

        Raises:
            EosfmError: They differ.
        """
        expected = self.backbone.input.in_chans
        if in_channels != expected:
            raise EosfmError(f"in_channels is {in_channels}, the backbone takes {expected}")

    def forward(self, x: Tensor) -> list[Tensor]:
        """The maps of an image.

        Args:
            x: (B, C, H, W) float32, H and W multiples of 32.

        Returns:
            ``depth`` + 1 maps (B, out_channels, H/s, W/s), s in 1, 2, 4, 8, 16, 32.
        """
        batch, _, height, width = x.shape
        nothing = x.new_zeros(batch, 0, height // 2, width // 2)
        return [x, nothing, *self.backbone(x)][: self.depth + 1]
