"""The frozen half of EosFM: every specialist's encoder, run on the inputs adapted to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import timm
import torch
from timm.layers.format import Format
from torch import Tensor, nn

from eosfm.errors import EosfmError


@dataclass(frozen=True)
class EncoderSpec:
    """One specialist's encoder.

    Attributes:
        name: The specialist, as errors and tables call it.
        backbone: timm model name, ``convnextv2_atto`` for instance.
        in_chans: Channels of the input it was trained on.
    """

    name: str
    backbone: str
    in_chans: int


class Encoders(nn.Module):
    """The specialists' encoders as one module.

    Args:
        specs: The specialists, in the order that their indices count.
        freeze: Frozen encoders compute without gradients and stay in evaluation mode whatever
            ``train`` says; otherwise they train like any module.

    Raises:
        EosfmError: timm does not know a backbone, or it has no pyramid of strides 4, 8, 16, 32.
    """

    def __init__(self, specs: Sequence[EncoderSpec], freeze: bool = True) -> None:
        super().__init__()
        self.specs = tuple(specs)
        self.freeze = freeze
        self.models = nn.ModuleList(_create(spec) for spec in self.specs)
        if freeze:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> "Encoders":
        """Set the mode; a frozen ensemble stays in evaluation mode."""
        return super().train(mode and not self.freeze)

    def channels(self, index: int) -> list[int]:
        """Channels of one specialist's four pyramid levels, finest first."""
        return list(self.models[index].feature_info.channels())

    def load(self, index: int, state_dict: Mapping[str, Tensor]) -> None:
        """Load one specialist's weights, all of them and no others.

        Raises:
            EosfmError: Keys or shapes are not those of the backbone.
        """
        spec = self.specs[index]
        try:
            self.models[index].load_state_dict(state_dict, strict=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip()
            raise EosfmError(
                f"{spec.name}: weights do not fit {spec.backbone} with {spec.in_chans} channels"
                f" ({reason}); check the artifact's backbone and in_chans"
            ) from None

    def forward(self, inputs: Sequence[tuple[int, Tensor]]) -> list[list[Tensor]]:
        """Encode the adapted inputs.

        Args:
            inputs: (specialist index, image) pairs; images are (B, in_chans, H, W) with H and W
                multiples of 32. A specialist may appear more than once.

        Returns:
            One pyramid per input, in input order: four maps (B, C, H/s, W/s), s in 4, 8, 16, 32.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            return self._encode(inputs)

    def _encode(self, inputs: Sequence[tuple[int, Tensor]]) -> list[list[Tensor]]:
        pyramids: dict[int, list[Tensor]] = {}
        for index in dict.fromkeys(index for index, _ in inputs):
            # One call for all inputs of a specialist: the weights are read once.
            places = [place for place, (other, _) in enumerate(inputs) if other == index]
            images = [inputs[place][1] for place in places]
            maps = self._run(index, torch.cat(images))
            sizes = [len(image) for image in images]
            parts = zip(*(level.split(sizes) for level in maps), strict=True)
            pyramids.update((place, list(part)) for place, part in zip(places, parts, strict=True))
        return [pyramids[place] for place in range(len(inputs))]

    def _run(self, index: int, image: Tensor) -> list[Tensor]:
        model = self.models[index]
        maps = model(image)
        if model.output_fmt == Format.NHWC:
            maps = [level.permute(0, 3, 1, 2).contiguous() for level in maps]
        return list(maps)


def _create(spec: EncoderSpec) -> nn.Module:
    try:
        model = timm.create_model(
            spec.backbone, features_only=True, in_chans=spec.in_chans, pretrained=False
        )
    except RuntimeError as error:
        raise EosfmError(
            f"{spec.name}: timm cannot build {spec.backbone!r} ({str(error).splitlines()[0]});"
            " name a timm model that has features_only"
        ) from None
    strides = list(model.feature_info.reduction())
    if strides != [4, 8, 16, 32]:
        raise EosfmError(
            f"{spec.name}: {spec.backbone} has feature strides {strides}, expected [4, 8, 16, 32];"
            " choose a backbone with that pyramid"
        )
    return model
