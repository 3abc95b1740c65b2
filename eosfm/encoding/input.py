"""What a backbone takes and gives: channels, units and statistics in, levels out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.encoding.adaptation import InputSpec
from eosfm.encoding.specialist import Specialist

STRIDES = (4, 8, 16, 32)


@dataclass(frozen=True)
class InputFormat:
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

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for an artifact."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InputFormat":
        """The inverse of :meth:`as_dict`."""
        plain: dict[str, Any] = dict(values)
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
        return cls(**plain)


class FeatureInfo:
    """Channels and strides of the fused levels, as timm's models describe theirs."""

    def __init__(self, channels: Sequence[int]) -> None:
        self.out_indices = tuple(range(len(channels)))
        self._levels = [
            {"num_chs": width, "reduction": stride, "module": f"fused.{level}"}
            for level, (width, stride) in enumerate(zip(channels, STRIDES, strict=True))
        ]

    def channels(self) -> list[int]:
        """Channels of each level."""
        return [level["num_chs"] for level in self._levels]  # type: ignore[misc]

    def reduction(self) -> list[int]:
        """Stride of each level in input pixels."""
        return [level["reduction"] for level in self._levels]  # type: ignore[misc]

    def module_name(self) -> list[str]:
        """A name for each level."""
        return [level["module"] for level in self._levels]  # type: ignore[misc]

    def get_dicts(self) -> list[dict[str, Any]]:
        """All of the above, one dict per level."""
        return [dict(level) for level in self._levels]

    def __len__(self) -> int:
        """The number of levels."""
        return len(self._levels)

    def __getitem__(self, level: int) -> dict[str, Any]:
        """What is known of one level."""
        return dict(self._levels[level])


def describe_input(
    bands: Sequence[str] | None,
    in_chans: int | None,
    standardize: str,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    units: Sequence[str] | str | None,
) -> InputFormat:
    """Check what the caller says of the input (see :class:`eosfm.EosFM`).

    Raises:
        EosfmError: Something is missing, contradicts the rest or has the wrong length.
    """
    if bands is None and in_chans is None:
        raise EosfmError("neither bands nor in_chans is given; name the input's bands")
    count = len(bands) if in_chans is None else in_chans  # type: ignore[arg-type]
    if isinstance(units, str):
        units = [units] * count
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
    return InputFormat(
        count,
        tuple(bands) if bands is not None else None,
        standardize,
        tuple(float(value) for value in mean) if mean is not None else None,
        tuple(float(value) for value in std) if std is not None else None,
        tuple(units) if units is not None else None,
    )


def check_units(
    specialists: Sequence[Specialist],
    encoder: Sequence[int],
    inputs: Sequence[InputSpec],
    taken: InputFormat,
) -> None:
    """Refuse specialists without statistics, or whose units the input does not have.

    Args:
        specialists: The ensemble.
        encoder: Per input, the place of its specialist.
        inputs: What each specialist is fed with.
        taken: What arrives.

    Raises:
        EosfmError: There are such specialists; the line names them all.
    """
    assert taken.units is not None
    wrong: dict[str, str] = {}
    for spec, place in zip(inputs, encoder, strict=True):
        specialist = specialists[place]
        if specialist.mean is None or specialist.std is None or specialist.units is None:
            wrong[spec.name] = "its statistics are not in the artifact"
            continue
        for unit, pick in zip(specialist.units, spec.picks, strict=True):
            if pick is not None and taken.units[pick] != unit:
                wrong[spec.name] = f"trained on {unit}, fed with {taken.units[pick]}"
    if wrong:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
        raise EosfmError(
            f"standardize='specialist' cannot scale for {reasons}; use standardize='dataset' or "
            f"ablate={list(wrong)}"
        )
