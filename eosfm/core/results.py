"""What stages tell the report: frozen objects, written as JSON and read back as the same.

Each room has the form of its own in its ``result.py``; here is what all stages share.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.files import write_json

R = TypeVar("R")


@dataclass(frozen=True)
class EnergyRecord:
    """What one run of a stage took (see :func:`eosfm.tracking.track`); None where unknown."""

    stage: str
    item: str
    seconds: float
    kwh: float | None
    co2eq_kg: float | None
    peak_memory_gib: float
    run: str


def write_result(path: Path, result: object) -> None:
    """Write one of these as JSON, without its arrays: they have files of their own."""
    write_json(path, asdict(result, dict_factory=_plain))  # type: ignore[call-overload]


def _plain(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in fields if not isinstance(value, np.ndarray)}


def read_result(path: Path, form: type[R], target: str) -> R:
    """Read what :func:`write_result` wrote.

    Args:
        path: The file.
        form: Its class.
        target: What DVC builds to make it.

    Raises:
        EosfmError: The file is missing, or holds something else.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run `dvc repro {target}`") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "its start"
        raise EosfmError(
            f"{path} is no {form.__name__} ({fault['msg']} at {where}); run `dvc repro -f {target}`"
        ) from None
