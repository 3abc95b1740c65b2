"""``store.json``: what a store says of itself, read and written by one schema."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError
from pydantic import model_validator as after

from eosfm.core.band_groups import DTYPES, BandGroup
from eosfm.core.bands import check_bands
from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.core.validation import first_fault
from eosfm.kinds import KINDS

FORMAT = 2
"""Schema version."""
NAME = "store.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Origin = Literal["simulated", "archive", "root"]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Facts):
    """A file of a split.

    Attributes:
        bytes: Its size.
        crc32: CRC-32 of its content, of a shard's after the header.
    """

    bytes: NonNegativeInt
    crc32: NonNegativeInt


class SplitFacts(_Facts):
    """A split: tiles in each shard, and its files by name."""

    rows: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    files: dict[str, File]


class Manifest(_Facts):
    """What :class:`eosfm.tiles.store.TileStore` tells, whose attributes these are.

    Attributes:
        format: Schema version.
        groups: The bands by what they are stored in; files of images are named after their group
            where there is more than one.
        splits: Splits that hold tiles.
    """

    format: Literal[2]
    dataset: str
    source: Origin
    kind: str
    bands: Annotated[tuple[str, ...], Field(min_length=1)]
    units: tuple[str, ...]
    groups: Annotated[tuple[BandGroup, ...], Field(min_length=1)]
    faults: dict[str, str]
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    ignore_index: int
    nodata: Finite | None
    target_unit: str | None
    target_steps: PositiveInt | None
    tile: PositiveInt | None
    shape: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt]
    gsd: Positive
    splits: dict[Split, SplitFacts]
    mean: dict[str, Finite]
    std: dict[str, Positive]
    valid: dict[str, Share]

    @after(mode="after")
    def _agree(self) -> "Manifest":
        usable = {name for name in self.bands if name not in self.faults}
        grouped = sorted(name for group in self.groups for name in group.bands)
        wrong = {
            "kind": self.kind not in KINDS,
            "units": len(self.units) != len(self.bands),
            "groups": grouped != sorted(self.bands) or not all(map(_storable, self.groups)),
            "shape": self.shape[1] != len(self.bands),
            "mean": set(self.mean) != usable,
            "std": set(self.std) != usable,
            "valid": set(self.valid) != set(self.bands),
            "splits": "train" not in self.splits,
        }
        if fault := next((key for key, is_wrong in wrong.items() if is_wrong), None):
            raise ValueError(f"{fault} does not agree with the rest")
        check_bands(self.bands)
        return self


def _storable(group: BandGroup) -> bool:
    return group.dtype in DTYPES and group.step > 0


def write_manifest(folder: Path, facts: dict[str, Any]) -> None:
    """Write the facts of a store into its folder, once they keep to the schema."""
    text = Manifest.model_validate({"format": FORMAT, **facts}).model_dump_json(indent=1)
    (folder / NAME).write_text(text + "\n")


def read_manifest(folder: Path, remedy: str) -> Manifest:
    """Read the facts of a store.

    Args:
        folder: The store's.
        remedy: What the user can do where they are missing or damaged.

    Raises:
        EosfmError: They are missing, damaged, or of another format.
    """
    path = folder / NAME
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; expected a tile store; {remedy}") from None
    except OSError as error:
        raise EosfmError(f"{path} cannot be read ({error.strerror}); {remedy}") from None
    except ValidationError as error:
        fault = _fault(error)
    raise EosfmError(f"{path} {fault}; {remedy}")


def _fault(error: ValidationError) -> str:
    first = error.errors()[0]
    if first["loc"] == ("format",) and first["type"] != "missing":
        return f"is of format {first['input']}; expected {FORMAT}"
    if not first["loc"]:
        return f"is damaged ({first['msg']})"
    return f"is damaged: {first_fault(error, Manifest)[:200]}"
