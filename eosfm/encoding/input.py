"""What a backbone takes, and what of it each specialist is fed with."""

import inspect
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from eosfm.core.bands import UNITS
from eosfm.core.errors import EosfmError, brief, expect, suggest
from eosfm.nn.specialist import is_count

ChannelMap = tuple[int | None, ...]
"""Per channel of a specialist, the input's channel; None for one that stays at its mean."""

SPECTRAL = "spectral"
"""Name of the entry that is no specialist (see :mod:`eosfm.encoding.spectral`)."""

INSIDE = ("eosfm", "torch")
"""Packages whose lines no warning names."""

MOST_CHANNELS = 4096
"""More than any sensor has; their adaptation is planned one by one."""


@dataclass(frozen=True)
class Described:
    """Facts of an input, which an artifact or a JSON file keeps as plain values."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@dataclass(frozen=True)
class InputFormat(Described):
    """What ``forward`` takes.

    Attributes:
        in_chans: Channels.
        bands: Their names, where known.
        standardize: ``dataset`` or ``specialist``: whose statistics scale the input.
        mean: Per channel; subtracted here where given, otherwise the input is standardised.
        std: Per channel.
        units: Physical unit per channel.
    """

    in_chans: int
    bands: tuple[str, ...] | None = None
    standardize: str = "dataset"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    units: tuple[str, ...] | None = None


@dataclass(frozen=True)
class InputSpec(Described):
    """One adapted input of a specialist, and so one pyramid.

    Attributes:
        name: The specialist, or :data:`SPECTRAL`.
        channels: Channels of its pyramid's levels, finest first.
        index: The specialist's index in the artifact.
        rule: The adaptation rule that reached it.
        sources: Per channel of the specialist, what it is fed with: a band, or ``mean``.
        channel_map: Per channel of the specialist, the input channel; None for its mean.
        note: What a reader should know of this input.
    """

    name: str
    channels: tuple[int, ...] = ()
    index: int = -1
    rule: str = "as it is"
    sources: tuple[str, ...] = ()
    channel_map: ChannelMap = ()
    note: str = ""

    @property
    def spectral(self) -> bool:
        """Whether it is the bands themselves, and no specialist's."""
        return self.name == SPECTRAL


def describe_input(
    bands: Sequence[str] | None,
    in_chans: int | None,
    standardize: str,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    units: Sequence[str] | str | None,
) -> InputFormat:
    """Check what the caller says of the input (see :func:`eosfm.encoding.encoder.build_encoder`).

    Raises:
        EosfmError: Something is missing, contradicts the rest or has the wrong length.
    """
    bands = _names("bands", bands)
    if bands is None and in_chans is None:
        raise EosfmError("neither bands nor in_chans is given; name the input's bands")
    count = in_chans if in_chans is not None else len(bands or ())
    if not is_count(count) or count > MOST_CHANNELS:
        raise EosfmError(
            f"the input has {brief(count)} channels; expected a whole number, 1 to {MOST_CHANNELS}"
        )
    if isinstance(units, str):
        units = [units] * count
    units = _names("units", units)
    for unit in units or ():
        if unit not in UNITS:
            raise EosfmError(f"unknown unit {unit!r}; {suggest(unit, list(UNITS))}")
    mean, std = (_numbers(what, values) for what, values in (("mean", mean), ("std", std)))
    if (mean is None) != (std is None):
        raise EosfmError("only one of mean and std is given; give both or neither")
    if standardize == "specialist":
        if mean is not None:
            raise EosfmError(
                "mean and std are the input's own, but standardize='specialist' uses the "
                "specialists'; leave them out"
            )
        if units is None:
            raise EosfmError("standardize='specialist' needs the input's units; give units=")
    for what, values in (("mean", mean), ("std", std), ("units", units), ("bands", bands)):
        if values is not None and len(values) != count:
            raise EosfmError(f"{len(values)} values of {what} for {count} channels; give one each")
    if std is not None and min(std) <= 0:
        raise EosfmError(f"std is {list(std)}; expected numbers above 0")
    return InputFormat(
        count,
        bands,
        standardize,
        mean,
        std,
        units,
    )


def expect_map(what: str, value: Any, device: torch.device) -> None:
    """Refuse what torch would stumble over.

    Raises:
        EosfmError: It is no dense tensor, or on another device.
    """
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_nested:
        found = value.layout if isinstance(value, Tensor) else type(value).__name__
        found = "nested tensor" if getattr(value, "is_nested", False) else found
        raise EosfmError(f"{what} is a {found}, expected a dense torch.Tensor of float32")
    if value.device != device:
        raise EosfmError(f"{what} is on {value.device}, expected {device}; move it with .to()")


def _names(what: str, names: Any) -> tuple[str, ...] | None:
    """Names as a tuple, from a list, an array or the like; None stays None."""
    if names is None:
        return None
    fits = isinstance(names, Iterable) and not isinstance(names, (str, bytes, Mapping, Set))
    fits = fits and getattr(names, "ndim", 1) == 1
    given = tuple(names) if fits else ()
    fits = fits and all(isinstance(name, str) for name in given)
    expect(what, names, fits, "a list of names, one per channel")
    return given


def _numbers(what: str, values: Sequence[float] | None) -> tuple[float, ...] | None:
    """Finite numbers, of whatever holds them: a list, an array, a tensor."""
    if values is None:
        return None
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise EosfmError(f"{what} is {brief(values)}; expected numbers, one per channel") from None
    if not all(map(math.isfinite, numbers)):
        raise EosfmError(f"{what} is {list(numbers)}; expected finite numbers")
    return numbers


def warn(text: str) -> None:
    """Warn, naming the line outside of :data:`INSIDE` that led here."""
    frame, level = inspect.currentframe(), 1
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] in INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)
