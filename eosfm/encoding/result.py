"""What export tells the report."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ExportResult:
    """What the ensemble artifact holds.

    Attributes:
        specialists: Names, in their order.
        parameters: Numbers in all weights together.
    """

    specialists: tuple[str, ...]
    parameters: int

    @classmethod
    def of(cls, specialists: Iterable[Any]) -> "ExportResult":
        """Count what :class:`eosfm.nn.specialist.Specialist` objects hold."""
        held = list(specialists)
        weights = [tensor for one in held for tensor in one.state_dict.values()]
        return cls(tuple(one.name for one in held), sum(tensor.numel() for tensor in weights))
