"""torchgeo's pretrained encoders as specialists, to join an ensemble or to be compared with it."""

import re
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from eosfm.core.bands import UNITS, band_name
from eosfm.core.errors import EosfmError, suggest
from eosfm.encoding.checkpoints import encoder_weights
from eosfm.nn.specialist import Specialist

LARGE = 500.0
"""Optical values that vary by more are reflectances times 10,000, and not of eight bits."""

MIXED = 10.0
"""Ratio of two bands' standard deviations that no two bands of one unit have."""


def specialist(weights: Any, name: str | None = None, unit: str | None = None) -> Specialist:
    """Make a specialist of torchgeo's pretrained weights, which are downloaded if need be.

    Bands, their order, and mean and standard deviation come from torchgeo. Its transforms of
    satellite images subtract and divide in physical units, as specialists do.

    Args:
        weights: A member of torchgeo's ``ResNet18_Weights``, ``ResNet50_Weights``,
            ``ResNet152_Weights``, ``ViTSmall16_Weights``, ``ViTBase16_Weights`` or
            ``ViTLarge16_Weights``, or its name: ``ResNet50_Weights.SENTINEL2_ALL_MOCO``.
        name: Of the specialist; None for that of the weights, in small letters.
        unit: Of all bands, one of :data:`eosfm.core.bands.UNITS`; None where the transforms tell:
            decibels of radar, or reflectance times 10,000.

    Raises:
        EosfmError: There are no such weights, the encoder is of another kind, a band has no name
            here, nothing tells the unit, or the weights cannot be downloaded.
    """
    from torchgeo.models import get_weight

    if unit is not None and unit not in UNITS:
        raise EosfmError(f"unknown unit {unit!r}; {suggest(unit, list(UNITS))}")
    if isinstance(weights, str):
        try:
            weights = get_weight(weights)
        except ValueError:
            raise EosfmError(
                f"torchgeo has no weights {weights!r}; expected a name such as "
                "ResNet50_Weights.SENTINEL2_ALL_MOCO"
            ) from None
    # The class tells the model: what some weights say of themselves is another one's.
    model = type(weights).__name__.removesuffix("_Weights").lower()
    model = re.sub(r"^vit(small|base|large)16$", r"vit_\1_patch16_224", model)
    if not re.fullmatch(r"resnet\d+|vit_[a-z]+_patch16_224", model):
        raise EosfmError(
            f"{weights} are of {model}, which is no encoder here; take weights of a ResNet, or of "
            "a ViT with patches of 16 px"
        )
    bands = _bands(weights)
    mean, std = _statistics(weights, len(bands))
    _insist_on_one_unit(weights, bands, std)
    units = (unit or _unit(weights, bands, mean, std),) * len(bands)
    _, in_chans, state = encoder_weights(_downloaded(weights), model)
    facts = {"source": f"torchgeo {weights}"}
    facts |= {key: weights.meta[key] for key in ("dataset", "publication") if key in weights.meta}
    return Specialist(
        name or weights.name.lower(), model, in_chans, state, bands, units, mean, std, facts
    )


def _downloaded(weights: Any) -> dict[str, Tensor]:
    from torch.hub import get_dir

    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=True)
    except OSError as error:
        raise EosfmError(
            f"{weights} cannot be downloaded ({error}); try again, or put {weights.url} into "
            f"{get_dir()}/checkpoints"
        ) from None
    return state


def _bands(weights: Any) -> tuple[str, ...]:
    named = weights.meta.get("bands") or ("red", "green", "blue")[: weights.meta["in_chans"]]
    bands = tuple(band_name(name) or "" for name in named)
    if "" in bands or weights.name.startswith("LANDSAT"):  # B4 is another band there
        raise EosfmError(
            f"{weights} are of bands {', '.join(named)}, which are not all among the names of "
            "eosfm/core/bands.py; take weights of Sentinel-1, Sentinel-2 or RGB"
        )
    return bands


def _statistics(weights: Any, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What the transforms subtract and divide by, all in all."""
    mean, std = [0.0] * channels, [1.0] * channels
    for step in weights.transforms.children():
        kind = type(step).__name__
        if kind == "Normalize":
            means, stds = (_per_channel(values, channels) for values in (step.mean, step.std))
            mean = [m + s * more for m, s, more in zip(mean, std, means, strict=True)]
            std = [s * more for s, more in zip(std, stds, strict=True)]
        elif kind not in ("Resize", "CenterCrop"):
            raise EosfmError(f"{weights} are made for images after {kind}, which is not linear")
    return tuple(mean), tuple(std)


def _per_channel(values: Sequence[float], channels: int) -> list[float]:
    return [float(value) for value in values] * (channels // len(values))


def _insist_on_one_unit(weights: Any, bands: Sequence[str], std: Sequence[float]) -> None:
    """Refuse SatlasPretrain's weights of nine bands: three of eight bits, six of reflectance."""
    most, least = max(_bright(bands, std)), min(_bright(bands, std))
    if most > MIXED * least:
        raise EosfmError(
            f"{weights} divide some bands by {least:g} and others by {most:g}, as bands of several "
            "units; take weights of bands in one unit"
        )


def _bright(bands: Sequence[str], std: Sequence[float]) -> list[float]:
    """The deviations without the cirrus band's, which is dark nearly everywhere."""
    return [value for name, value in zip(bands, std, strict=True) if name != "B10"]


def _unit(weights: Any, bands: Sequence[str], mean: Sequence[float], std: Sequence[float]) -> str:
    if set(bands) <= {"vv", "vh"} and max(mean) < 0:  # no other unit of radar is negative
        return "db"
    if min(_bright(bands, std)) > LARGE:
        return "reflectance_1e4"
    raise EosfmError(
        f"{weights} divide by {', '.join(f'{value:g}' for value in std[:3])}, which does not tell "
        f"the unit of their bands; give the unit, one of {', '.join(UNITS)}"
    )
