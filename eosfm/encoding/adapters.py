"""Feeding a specialist: its channels out of the input's, scaled by the statistics that count."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.encoding.input import ChannelMap, InputFormat, InputSpec
from eosfm.nn.specialist import Specialist

LARGEST = 1e6
"""Standard deviations from a band's mean; a value beyond is taken for a nodata code."""


class BandAdapter(nn.Module):
    """Takes one specialist's channels from the input; a missing channel is at its mean.

    Args:
        channel_map: Per channel of the specialist, the input channel, or None.
        in_chans: Channels of the input.
        mean: Subtracted, per channel of the specialist; None for a standardised input. A missing
            channel's does not count.
        std: What the difference is divided by, likewise.

    Raises:
        EosfmError: A standard deviation is not positive.
    """

    index: Tensor
    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self,
        channel_map: ChannelMap,
        in_chans: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.is_partial = None in channel_map
        # The plan is saved with the backbone, not in its state dict.
        index = [in_chans if channel is None else channel for channel in channel_map]
        self.register_buffer("index", torch.tensor(index), persistent=False)
        self.register_buffer("mean", None)
        self.register_buffer("std", None)
        if mean is None or std is None:
            return
        if 0 in std:  # a specialist may have been fed with values of the other sign
            raise EosfmError(f"a standard deviation is 0 in {list(std)}; give its value")
        known = [channel is not None for channel in channel_map]
        mean = [value if there else 0.0 for value, there in zip(mean, known, strict=True)]
        for name, values in (("mean", mean), ("std", std)):
            tensor = torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_chans, H, W) to (B, channels of the specialist, H, W).

        Values that are NaN, infinite or beyond :data:`LARGEST` become their channel's mean, 0.
        """
        if self.is_partial:  # one more channel, of zeros: the mean of a standardised one
            x = F.pad(x, (0, 0, 0, 0, 0, 1))
        x = x.index_select(1, self.index)
        if self.mean is not None and self.std is not None:
            x = (x - self.mean) / self.std
        # Norms over a whole map would carry one NaN into every cell, and -3.4e38 likewise.
        return torch.where(x.abs() < LARGEST, x, 0.0)


def build_adapter(spec: InputSpec, specialist: Specialist, given: InputFormat) -> BandAdapter:
    """The adapter of one input.

    Args:
        spec: Its plan.
        specialist: Whose input it is.
        given: What arrives, and whose statistics scale it.

    Raises:
        EosfmError: A standard deviation is not positive.
    """
    if given.standardize == "specialist":
        return BandAdapter(spec.channel_map, given.in_chans, specialist.mean, specialist.std)
    if given.mean is None or given.std is None:
        return BandAdapter(spec.channel_map, given.in_chans)
    mean = [0.0 if channel is None else given.mean[channel] for channel in spec.channel_map]
    std = [1.0 if channel is None else given.std[channel] for channel in spec.channel_map]
    return BandAdapter(spec.channel_map, given.in_chans, mean, std)


def check_statistics(
    inputs: Sequence[InputSpec], specialists: Sequence[Specialist], given: InputFormat
) -> None:
    """Refuse to scale by specialists without statistics, or in units that the input does not have.

    Args:
        inputs: The plan.
        specialists: Each input's specialist.
        given: What arrives, with its units.

    Raises:
        EosfmError: There are such specialists; the line names them all.
    """
    assert given.units is not None
    wrong: dict[str, str] = {}
    for spec, specialist in zip(inputs, specialists, strict=True):
        if specialist.mean is None or specialist.std is None or specialist.units is None:
            lacks = "units" if specialist.units is None and specialist.mean else "statistics"
            wrong[spec.name] = f"its {lacks} are not in the artifact"
            continue
        for unit, channel in zip(specialist.units, spec.channel_map, strict=True):
            if channel is not None and given.units[channel] != unit:
                wrong[spec.name] = f"trained on {unit}, fed with {given.units[channel]}"
    if wrong:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
        or_else = f" or ablate={list(wrong)}" * (len(wrong) < len({spec.name for spec in inputs}))
        raise EosfmError(
            f"standardize='specialist' cannot scale for {reasons}; use standardize='dataset'"
            + or_else
        )
