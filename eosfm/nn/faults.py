"""What can be wrong with a specialist that was read from a file."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import Specialist, check_weights


def check_specialists(specialists: Sequence[Specialist]) -> None:
    """Refuse specialists that cannot be used, or would give numbers that mean nothing.

    Raises:
        EosfmError: The first of :func:`specialist_faults`, or of :func:`repeated_names`.
    """
    for line in repeated_names([one.name for one in specialists]):
        raise EosfmError(line)
    for one in specialists:
        for line in specialist_faults(one):
            raise EosfmError(line)


def specialist_faults(one: Specialist) -> Iterator[str]:
    """Everything that is wrong with one: backbone, shapes, numbers, statistics; a line each."""
    try:
        check_weights(one.name, one.backbone, one.in_chans, one.state_dict)
    except EosfmError as error:
        line = str(error)
        yield line if repr(one.name) in line else f"{one.name}: {line}"
    else:
        yield from weight_faults(one.name, one.state_dict)
    for key in ("mean", "std"):
        values = getattr(one, key)
        if values is not None and not all(abs(value) < float("inf") for value in values):
            yield f"{one.name}: {key} is {list(values)}; expected finite numbers"
    if one.std is not None and 0 in one.std:  # below 0 where a recipe flips the sign of decibels
        yield f"{one.name}: std is {list(one.std)}; expected numbers other than 0"
    if (one.mean is None) != (one.std is None):
        yield f"{one.name}: only one of mean and std is given; give both or neither"


def weight_faults(name: str, weights: Mapping[str, Tensor]) -> Iterator[str]:
    """Whether weights are NaN or infinite."""
    broken = {key: count for key, value in weights.items() if (count := _not_finite(value))}
    if broken:
        yield (
            f"{name}: {sum(broken.values())} values of {', '.join(list(broken)[:3])}"
            f"{' and more' if len(broken) > 3 else ''} are NaN or infinite; train it again"
        )


def repeated_names(names: Sequence[str]) -> Iterator[str]:
    """Names that stand more than once, of which only the last would count."""
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"{names.count(name)} specialists are named {name!r}; rename all but one"


def _not_finite(value: Tensor) -> int:
    # A sum is quickly made, and finite only where all values are.
    if value.sum(dtype=torch.float64).isfinite():
        return 0
    return int((~value.isfinite()).sum())
