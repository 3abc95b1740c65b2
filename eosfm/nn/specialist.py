"""A specialist: one trained encoder with everything needed to feed it, and its file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eosfm.core import tensors
from eosfm.core.bands import check_bands
from eosfm.core.errors import EosfmError
from eosfm.nn.backbone import build_unset

FORMAT = 1
PER_CHANNEL = ("bands", "units", "mean", "std")
LONGEST = 200
"""Letters of a name, which tables and lines show."""


@dataclass(frozen=True)
class Specialist:
    """One trained encoder and what is known of it.

    Attributes:
        name: Unique within an artifact.
        backbone: timm model name, ``convnextv2_atto`` for instance.
        in_chans: Channels of its input.
        state_dict: Weights, with the keys of timm's ``features_only`` model.
        bands: One band name per channel; None where the file does not say (a published artifact).
        units: Physical unit of each channel's values before standardisation, or None.
        mean: Each channel's mean over its training data, in ``units``, or None.
        std: Each channel's standard deviation over its training data, in ``units``, or None.
        facts: Further plain facts (dataset, task, metrics, ...), kept as they are. ``dates`` says
            that the channels hold so many dates, one after the other, each with the same bands.

    Raises:
        EosfmError: A per-channel attribute has not one value per channel, a band is unknown, or the
            name is empty, long, or of signs that command a terminal.
    """

    name: str
    backbone: str
    in_chans: int
    state_dict: Mapping[str, Tensor] = field(repr=False, compare=False)
    bands: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= LONGEST or not self.name.isprintable():
            raise EosfmError(
                f"specialist {self.name[:LONGEST]!r} has no name to show; expected one line of at "
                f"most {LONGEST} letters; rename it"
            )
        for key in PER_CHANNEL:
            values = getattr(self, key)
            if values is not None and len(values) != self.in_chans:
                raise EosfmError(
                    f"specialist {self.name!r} has {self.in_chans} channels but {len(values)} "
                    f"values of {key}; give one per channel"
                )
        if self.bands is not None:
            try:
                check_bands(self.bands[: self.in_chans // self.facts.get("dates", 1)])
            except EosfmError as error:
                raise EosfmError(f"specialist {self.name!r}: {error}") from None


def load_specialist(path: Path | str) -> Specialist:
    """Read one specialist's file, as training writes it.

    Raises:
        EosfmError: The file cannot be read or lacks a key.
    """
    content = tensors.read(path)
    required = ("name", "backbone", "bands", "state_dict")
    if not isinstance(content, dict) or any(key not in content for key in required):
        raise EosfmError(f"{path} is no specialist; expected a dict with {', '.join(required)}")
    if content.get("format", FORMAT) != FORMAT:
        raise EosfmError(f"{path} has format {content['format']!r}; this version reads {FORMAT}")
    facts = {key: value for key, value in content.items() if key not in ("format", "state_dict")}
    bands = content["bands"]
    count = len(bands) if isinstance(bands, (list, tuple)) else 0
    one = build_specialist(count, content["state_dict"], facts, str(path))
    check_weights(one.name, one.backbone, one.in_chans, one.state_dict)
    return one


def save_specialist(path: Path | str, specialist: Specialist) -> None:
    """Write one specialist's file; equal content gives equal bytes, whatever the file is called.

    The file is a dict: ``format``, ``name``, ``backbone``, ``bands``, ``units``, ``mean``, ``std``
    (per channel), further facts such as ``dataset``, ``task`` and ``metrics``, ``state_dict``.
    """
    content: dict[str, Any] = {
        "format": FORMAT,
        "name": specialist.name,
        "backbone": specialist.backbone,
    }
    for key in PER_CHANNEL:
        if (values := getattr(specialist, key)) is not None:
            content[key] = list(values)
    content |= {key: specialist.facts[key] for key in sorted(specialist.facts)}
    tensors.write(path, content | {"state_dict": specialist.state_dict})


def check_weights(name: str, backbone: str, in_chans: int, weights: Mapping[str, Tensor]) -> None:
    """Compare a specialist's weights with its backbone.

    Raises:
        EosfmError: timm does not know the backbone, or a key or a shape is wrong.
    """
    expected = expected_shapes(backbone, in_chans)
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if found != expected:
        keys = sorted(found.keys() | expected.keys())
        key = next(key for key in keys if found.get(key) != expected.get(key))
        raise EosfmError(
            f"weights of specialist {name!r} do not fit {backbone} with {in_chans} channels: "
            f"{key} is {found.get(key, 'missing')}, expected {expected.get(key, 'no such key')}; "
            "check its backbone and in_chans, or build the file again"
        )


@lru_cache(maxsize=64)
def expected_shapes(backbone: str, in_chans: int) -> Mapping[str, tuple[int, ...]]:
    """Keys and shapes of timm's ``features_only`` model.

    Raises:
        EosfmError: timm has no such model, or it gives no feature pyramid.
    """
    model = build_unset(backbone, in_chans)
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def build_model(specialist: Specialist) -> nn.Module:
    """The specialist's encoder; it takes the weights over without a copy.

    Returns:
        timm's ``features_only`` model: (B, in_chans, H, W) to four maps.

    Raises:
        EosfmError: timm cannot build the backbone, or the weights do not fit it.
    """
    name, backbone, in_chans = specialist.name, specialist.backbone, specialist.in_chans
    try:
        model = build_unset(backbone, in_chans)
    except EosfmError as error:
        raise EosfmError(f"{name}: {error}") from None
    check_weights(name, backbone, in_chans, specialist.state_dict)
    own = model.state_dict()
    # Of the same type, and on the device that `torch.set_default_device` asks for.
    alike = {key: value.to(own[key]) for key, value in specialist.state_dict.items()}
    model.load_state_dict(alike, assign=True)
    return model


def build_specialist(in_chans: int, weights: Any, facts: dict[str, Any], where: str) -> Specialist:
    """Build a specialist from what a file says; :func:`check_weights` is the caller's.

    Args:
        in_chans: Channels of its input.
        weights: State dict.
        facts: What else the file says: ``name``, ``backbone``, bands, units, mean, std, ...
        where: Names the file in errors.

    Raises:
        EosfmError: Something is missing, or is no value per channel.
    """
    tensors_alone = isinstance(weights, Mapping) and all(map(_is_plain, weights.values()))
    if not tensors_alone:
        raise EosfmError(f"{where} has weights that are no tensors; build the file again")
    if not all(isinstance(key, str) for key in (*weights, *facts)):
        raise EosfmError(f"{where} has weights or facts without a name; build the file again")
    backbone = str(facts.pop("backbone", ""))
    if not backbone:
        raise EosfmError(f"{where} names no backbone; expected a key 'backbone' beside the weights")
    dates = facts.get("dates", 1)
    if not (is_count(in_chans) and is_count(dates)) or in_chans % dates:
        raise EosfmError(
            f"{where} has {in_chans!r} channels of {dates!r} date(s); expected whole numbers above "
            "0, the same channels on each date"
        )
    bands = facts.get("bands")
    known = {
        key: _per_channel(key, facts.pop(key, None), bands, in_chans, where) for key in PER_CHANNEL
    }
    return Specialist(
        str(facts.pop("name")), backbone, in_chans, dict(weights), facts=facts, **known
    )


def is_count(value: Any) -> bool:
    """Whether a value is a whole number above 0, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_plain(value: Any) -> bool:
    """Whether a value is a tensor as weights are: dense, and of real numbers."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not value.is_quantized
        and not value.is_complex()
        and value.device.type == "cpu"
    )


def _per_channel(
    key: str, values: Any, bands: Sequence[str] | None, in_chans: int, where: str
) -> tuple[Any, ...] | None:
    """Values by channel, whether the file gives them in channel order or by band name."""
    if values is None:
        return None
    if isinstance(values, Mapping) and isinstance(bands, Sequence):
        values = [values.get(name) for name in bands]
    if isinstance(values, Tensor) and _is_plain(values) and values.shape == (in_chans,):
        values = values.tolist()
    form = str if key in ("bands", "units") else (int, float)
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, form) for v in values):
        kinds = "names" if form is str else "numbers"
        found = " ".join(repr(values).split())[:200]
        raise EosfmError(f"{where} has {key} {found}; expected {kinds}, one per channel")
    return tuple(values)
