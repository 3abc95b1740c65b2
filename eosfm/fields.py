"""Field types of ``params.yaml``, and the base class of its parts."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from eosfm.core.bands import check_bands
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split


def _number(value: object) -> object:
    """Refuse booleans, which Python would accept as 0 and 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0, le=1e6)]
Rate = Annotated[Number, Field(gt=0, le=10)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
StrictBool = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, gt=0, le=10_000_000)]


def _some(value: object) -> object:
    """Check a union by hand, since pydantic's error would list every member of it."""
    whole = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if not (whole or value in ("auto", None)):
        raise ValueError("expected a whole number greater than 0, auto, or null for all")
    return value


EncoderLimit = Annotated[Literal["auto"] | int | None, BeforeValidator(_some)]
"""How many to keep: a number, ``auto`` for as many as help, or null for all."""
Size = Annotated[int, Field(strict=True, gt=0, le=100_000)]
"""Pixels, channels, or items of a batch."""
Processes = Annotated[int, Field(strict=True, gt=0, le=4_096)]
Workers = Annotated[int, Field(strict=True, ge=0, le=1_024)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]
"""Name of files, stages and metrics; restricted because it becomes part of shell commands."""


def _at_home(path: str) -> str:
    """Refuse a home folder that nobody has: ``~data`` is that of a user called data."""
    try:
        Path(path).expanduser()
    except RuntimeError:
        raise ValueError("expected a path; of your home folder it begins with ~/") from None
    return path


PathText = Annotated[
    str,
    Field(min_length=1, max_length=4_096, pattern=r"^[^\x00-\x1f]+$"),
    AfterValidator(_at_home),
]
"""A path without control characters, so no line break and no NUL."""
Loss = Literal["ce", "bce", "dice", "mse", "fcos"]
Head = Literal["upernet", "linear", "ridge", "knn"]
Aggregation = Literal["mean", "linear", "ltae", "concat", "difference"]
Metric = Literal["miou", "accuracy", "map", "f1", "rmse", "mae", "r2"]
SourceKind = Literal["simulated", "archive"]
SceneCounts = Literal["published", "any"]


def _words(value: object) -> object:
    """Split a string of names: YAML can anchor a string, and DVC keeps it when it sets a value."""
    return tuple(value.split()) if isinstance(value, str) else value


def _known(bands: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_bands(bands)
    except EosfmError as error:  # pydantic then says of which key
        raise ValueError(str(error)) from None


Bands = Annotated[
    tuple[str, ...], BeforeValidator(_words), Field(min_length=1), AfterValidator(_known)
]
"""Names of bands in the order of the channels: a list, or words with blanks between them."""

CutSplits = Annotated[tuple[Split, ...], BeforeValidator(_words), Field(min_length=1)]
"""Names of splits: a list, or words with blanks between them."""


class Frozen(BaseModel):
    """No unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
