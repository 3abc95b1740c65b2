"""The frozen half of EosFM: every specialist's encoder, run on the inputs adapted to it.

What made it faster than one call per input, and what did not, is in ``benchmarks/README.md``:
one call per specialist, one core per call, and a leaner response norm are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import timm
import torch
from timm.layers.format import Format
from timm.models import FeatureInfo
from torch import Tensor, nn

from eosfm.core.errors import EosfmError
from eosfm.core.parallel import run_together
from eosfm.encoding.specialist import check_weights
from eosfm.nn.grn import use_lean_norms


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
        weights: Each specialist's weights, all of them and no others. They are taken over and not
            copied: nobody else may hold them. By default timm's initial ones.
        freeze: Frozen encoders compute without gradients and stay in evaluation mode whatever
            ``train`` says; otherwise they train like any module.

    Raises:
        EosfmError: timm does not know a backbone, or it has no pyramid of strides 4, 8, 16, 32, or
            keys or shapes of weights are not those of the backbone.
    """

    def __init__(
        self,
        specs: Sequence[EncoderSpec],
        weights: Sequence[Mapping[str, Tensor]] | None = None,
        freeze: bool = True,
    ) -> None:
        super().__init__()
        self.specs = tuple(specs)
        self.freeze = freeze
        # Each takes its weights before the next is made: all are in memory once, never twice.
        states = [None] * len(self.specs) if weights is None else weights
        self.models = nn.ModuleList(map(_create, self.specs, states))
        use_lean_norms(self)
        if freeze:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> "Encoders":
        """Set the mode; a frozen ensemble stays in evaluation mode."""
        return super().train(mode and not self.freeze)

    def channels(self, index: int) -> list[int]:
        """Channels of one specialist's four pyramid levels, finest first."""
        return list(_info(self.models[index]).channels())

    def forward(self, inputs: Sequence[tuple[int, Tensor]]) -> list[list[Tensor]]:
        """Encode the adapted inputs.

        Args:
            inputs: (specialist index, image) pairs; images are (B, in_chans, H, W) with H and W
                multiples of 32. A specialist may appear more than once.

        Returns:
            One pyramid per input, in input order: four maps (B, C, H/s, W/s), s in 4, 8, 16, 32.
        """
        # One call for all inputs of a specialist reads its weights once.
        places: dict[int, list[int]] = {}
        for place, (index, _) in enumerate(inputs):
            places.setdefault(index, []).append(place)
        jobs = [(i, torch.cat([inputs[place][1] for place in at])) for i, at in places.items()]
        pyramids: dict[int, list[Tensor]] = {}
        for at, maps in zip(places.values(), self._run_all(jobs), strict=True):
            sizes = [inputs[place][1].shape[0] for place in at]  # len would fix an exported batch
            parts = zip(*(level.split(sizes) for level in maps), strict=True)
            pyramids.update(zip(at, map(list, parts), strict=True))
        return [pyramids[place] for place in range(len(inputs))]

    def _run_all(self, jobs: list[tuple[int, Tensor]]) -> list[list[Tensor]]:
        tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()
        on_cpu = all(image.device.type == "cpu" for _, image in jobs)
        if tracing or not (self.freeze and on_cpu):
            return [self._run(job) for job in jobs]
        # The maps are too small to share among cores: each core takes whole encoders instead.
        autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def work(job: tuple[int, Tensor]) -> list[Tensor]:
            with torch.autocast("cpu", dtype=dtype, enabled=autocast):
                return self._run(job)

        return run_together([partial(work, job) for job in jobs])

    def _run(self, job: tuple[int, Tensor]) -> list[Tensor]:
        index, image = job
        model = self.models[index]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            maps = model(image)
        if model.output_fmt == Format.NHWC:
            maps = [level.permute(0, 3, 1, 2).contiguous() for level in maps]
        return list(maps)


def _info(model: nn.Module) -> FeatureInfo:
    return cast(FeatureInfo, model.feature_info)


def _create(spec: EncoderSpec, weights: Mapping[str, Tensor] | None) -> nn.Module:
    try:
        model = timm.create_model(
            spec.backbone, features_only=True, in_chans=spec.in_chans, pretrained=False
        )
    except RuntimeError as error:
        raise EosfmError(
            f"{spec.name}: timm cannot build {spec.backbone!r} ({str(error).splitlines()[0]});"
            " name a timm model that has features_only"
        ) from None
    strides = list(_info(model).reduction())
    if strides != [4, 8, 16, 32]:
        raise EosfmError(
            f"{spec.name}: {spec.backbone} has feature strides {strides}, expected [4, 8, 16, 32];"
            " choose a backbone with that pyramid"
        )
    if weights is not None:
        check_weights(spec.name, spec.backbone, spec.in_chans, weights)
        own = model.state_dict()
        same_type = {key: value.to(own[key].dtype) for key, value in weights.items()}
        model.load_state_dict(same_type, assign=True)
    return model
