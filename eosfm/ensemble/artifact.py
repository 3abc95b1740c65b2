"""The ensemble artifact: all specialists in one file that the published code can read too.

The file is a list of ``(in_chans, state_dict, config)`` tuples. ``config["backbone"]`` is timm's
name behind ``timm_`` and ``config["encoder_name"]`` the specialist's name; what else this project
knows of a specialist (bands, units, statistics, provenance) are further keys of ``config``.
Tensors and plain values only: files are always read with ``weights_only=True``.
"""

import io
import os
import pickle
import sys
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from eosfm.bands import check_bands
from eosfm.errors import EosfmError

PREFIX = "timm_"
STATE_KEY = "eosfm"
"""Key of the first entry's config under which a saved backbone keeps its fusion."""

SPECIALIST_FORMAT = 1


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
        facts: Further plain facts (dataset, task, metrics, ...), kept as they are.

    Raises:
        EosfmError: A per-channel attribute has not one value per channel, or a band is unknown.
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
        for key in ("bands", "units", "mean", "std"):
            values = getattr(self, key)
            if values is not None and len(values) != self.in_chans:
                raise EosfmError(
                    f"specialist {self.name!r} has {self.in_chans} channels but {len(values)} "
                    f"values of {key}; give one per channel"
                )
        if self.bands is not None:
            check_bands(self.bands)


def load_artifact(path: Path | str) -> list[Specialist]:
    """Read an artifact, a published one or one of ours.

    Raises:
        EosfmError: The file is missing, damaged, holds code or is no artifact.
    """
    return [_from_entry(entry, path, place) for place, entry in enumerate(_entries(path))]


def save_artifact(
    path: Path | str, specialists: Sequence[Specialist], state: Mapping[str, Any] | None = None
) -> None:
    """Write an artifact; the same specialists give the same bytes.

    Args:
        path: The file, written beside and renamed.
        specialists: At least one, names unique.
        state: Fusion settings and weights of a saved backbone, kept in the first entry's config.

    Raises:
        EosfmError: There is no specialist, two have one name, or weights do not fit the backbone.
    """
    if not specialists:
        raise EosfmError(f"no specialist to write to {path}; give at least one")
    names = [specialist.name for specialist in specialists]
    for name in names:
        if names.count(name) > 1:
            raise EosfmError(f"two specialists are named {name!r}; rename one, or use merge")
    entries = []
    for place, specialist in enumerate(specialists):
        check_weights(specialist)
        config = _config(specialist)
        if state is not None and place == 0:
            config[STATE_KEY] = state
        entries.append((specialist.in_chans, specialist.state_dict, config))
    write(path, entries)


def load_saved(path: Path | str) -> tuple[list[Specialist], dict[str, Any]]:
    """Read what :meth:`eosfm.EosFM.save` wrote: specialists, and fusion settings and weights.

    Raises:
        EosfmError: The file cannot be used, or holds specialists alone.
    """
    entries = _entries(path)
    config = entries[0][2]
    if STATE_KEY not in config:
        raise EosfmError(
            f"{path} holds specialists but no fusion; open it with EosFM.from_artifact"
        )
    specialists = [_from_entry(entry, path, place) for place, entry in enumerate(entries)]
    return specialists, config[STATE_KEY]


def load_specialist(path: Path | str) -> Specialist:
    """Read one specialist's file, as training writes it.

    Raises:
        EosfmError: The file cannot be read or lacks a key.
    """
    content = read(path)
    required = ("name", "backbone", "bands", "state_dict")
    if not isinstance(content, dict) or any(key not in content for key in required):
        raise EosfmError(f"{path} is no specialist; expected a dict with {', '.join(required)}")
    if content.get("format", SPECIALIST_FORMAT) != SPECIALIST_FORMAT:
        raise EosfmError(
            f"{path} has format {content['format']!r}; this version reads {SPECIALIST_FORMAT}"
        )
    facts = {key: value for key, value in content.items() if key not in ("format", "state_dict")}
    return _specialist(len(content["bands"]), content["state_dict"], facts, str(path))


def export_artifact(files: Sequence[Path | str], out: Path | str) -> None:
    """Gather specialist files, in the order given, into one artifact.

    Raises:
        EosfmError: A file cannot be read, or two specialists have one name.
    """
    save_artifact(out, [load_specialist(path) for path in files])


def merge(*groups: Iterable[Specialist]) -> list[Specialist]:
    """Join ensembles in order; a name that is taken gets a number, and a warning says so."""
    merged: dict[str, Specialist] = {}
    for specialist in (specialist for group in groups for specialist in group):
        name, number = specialist.name, 2
        while name in merged:
            name, number = f"{specialist.name}_{number}", number + 1
        if name != specialist.name:
            warnings.warn(f"specialist {specialist.name!r} is there twice: the later one is now "
                          f"named {name!r}", stacklevel=2)  # fmt: skip
        merged[name] = replace(specialist, name=name)
    return list(merged.values())


def read(path: Path | str) -> Any:
    """Read a file of tensors and plain values.

    Raises:
        EosfmError: The file is missing, truncated, altered, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise EosfmError(f"{path} not found; expected a file of weights")
    try:
        if zipfile.is_zipfile(path):  # torch does not look at the checksums of its own archive
            with zipfile.ZipFile(path) as archive:
                if (member := archive.testzip()) is not None:
                    raise EosfmError(f"{path} is damaged ({member}); copy or build it again")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = "Unsupported global" in str(error)
        reason = "holds code" if code else "is damaged or no file of weights"
        raise EosfmError(f"{path} {reason}; expected tensors and plain values alone") from None
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise EosfmError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); build it again"
        ) from None


def write(path: Path | str, content: Any) -> None:
    """Write tensors and plain values beside ``path``, then rename; same content, same bytes."""
    path = Path(path)
    buffer = io.BytesIO()  # torch writes a file's own name into it, but none for a buffer
    torch.save(_plain(content), buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(buffer.getbuffer())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check_weights(specialist: Specialist) -> None:
    """Compare a specialist's weights with its backbone.

    Raises:
        EosfmError: timm does not know the backbone, or a key or a shape is wrong.
    """
    expected = expected_shapes(specialist.backbone, specialist.in_chans)
    found = {key: tuple(value.shape) for key, value in specialist.state_dict.items()}
    if found != expected:
        keys = sorted(found.keys() | expected)
        key = next(key for key in keys if found.get(key) != expected.get(key))
        raise EosfmError(
            f"weights of specialist {specialist.name!r} do not fit {specialist.backbone} with "
            f"{specialist.in_chans} channels: {key} is {found.get(key, 'missing')}, expected "
            f"{expected.get(key, 'no such key')}; build the file again"
        )


@lru_cache(maxsize=64)
def _shapes(backbone: str, in_chans: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    with torch.device("meta"):
        model = timm.create_model(backbone, features_only=True, in_chans=in_chans, pretrained=False)
    return tuple((key, tuple(value.shape)) for key, value in model.state_dict().items())


def expected_shapes(backbone: str, in_chans: int) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of timm's ``features_only`` model.

    Raises:
        EosfmError: timm has no such model, or it gives no feature pyramid.
    """
    try:
        return dict(_shapes(backbone, in_chans))
    except (RuntimeError, AttributeError) as error:
        raise EosfmError(
            f"timm cannot build {backbone!r} as a feature extractor: {error}"
        ) from None


def _entries(path: Path | str) -> list[tuple[int, dict[str, Tensor], dict[str, Any]]]:
    content = read(path)
    if not isinstance(content, list) or not content:
        raise EosfmError(
            f"{path} holds a {type(content).__name__}, expected a list of "
            "(in_chans, state_dict, config); build it with eosfm.ensemble.save_artifact"
        )
    for place, entry in enumerate(content):
        parts = entry if isinstance(entry, tuple) and len(entry) == 3 else (None, None, None)
        kinds = (int, dict, dict)
        if not all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True)):
            raise EosfmError(f"entry {place} of {path} is not (in_chans, state_dict, config)")
    return content


def _from_entry(entry: tuple[int, Any, Any], path: Path | str, place: int) -> Specialist:
    in_chans, state_dict, config = entry
    facts = {key: value for key, value in config.items() if key != STATE_KEY}
    facts.setdefault("name", facts.get("encoder_name", f"specialist_{place}"))
    facts.pop("encoder_name", None)
    return _specialist(in_chans, state_dict, facts, f"entry {place} of {path}")


def _specialist(in_chans: int, weights: Any, facts: dict[str, Any], where: str) -> Specialist:
    """Build and check a specialist from what a file says; ``where`` names the file in errors."""
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise EosfmError(f"{where} has weights that are no tensors; build the file again")
    try:
        backbone = str(facts.pop("backbone")).removeprefix(PREFIX)
    except KeyError:
        raise EosfmError(f"{where} names no backbone; expected config['backbone']") from None
    bands = facts.get("bands")
    known = {
        key: _per_channel(facts.pop(key, None), bands) for key in ("bands", "units", "mean", "std")
    }
    name = str(facts.pop("name"))
    specialist = Specialist(name, backbone, in_chans, dict(weights), facts=facts, **known)
    check_weights(specialist)
    return specialist


def _per_channel(values: Any, bands: Sequence[str] | None) -> tuple[Any, ...] | None:
    """Values by channel, whether the file gives them in channel order or by band name."""
    if values is None:
        return None
    if isinstance(values, Mapping):
        return tuple(values[name] for name in bands or ())
    return tuple(values.tolist() if isinstance(values, Tensor) else values)


def _config(specialist: Specialist) -> dict[str, Any]:
    """The third part of an entry."""
    config: dict[str, Any] = {
        "backbone": PREFIX + specialist.backbone,
        "encoder_name": specialist.name,
        "name": specialist.name,
    }
    for key in ("bands", "units", "mean", "std"):
        if (values := getattr(specialist, key)) is not None:
            config[key] = list(values)
    return config | {key: specialist.facts[key] for key in sorted(specialist.facts)}


def _plain(value: Any) -> Any:
    """A copy whose pickle depends on the content alone, not on which objects are shared."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(entry) for entry in value)
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, str):
        return sys.intern(str(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise EosfmError(f"cannot store a {type(value).__name__}; tensors and plain values only")
