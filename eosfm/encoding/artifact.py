"""The ensemble artifact: all specialists in one file that the published code can read too.

The file is a list of ``(in_chans, state_dict, config)`` tuples. ``config["backbone"]`` is timm's
name behind ``timm_`` and ``config["encoder_name"]`` the specialist's name; what else this project
knows of a specialist (bands, units, statistics, provenance) are further keys of ``config``.
Tensors and plain values only: files are always read with ``weights_only=True``.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.nn.specialist import (
    PER_CHANNEL,
    Specialist,
    build_specialist,
    check_weights,
    load_specialist,
)

PREFIX = "timm_"
STATE_KEY = "eosfm"
"""Key of the first entry's config under which a saved backbone keeps its fusion."""


def load_artifact(path: Path | str) -> list[Specialist]:
    """Read an artifact, a published one or one of ours.

    Raises:
        EosfmError: The file is missing, damaged, holds code or is no artifact.
    """
    return [_from_entry(entry, path, index) for index, entry in enumerate(_entries(path))]


def save_artifact(
    path: Path | str, specialists: Sequence[Specialist], state: Mapping[str, Any] | None = None
) -> None:
    """Write an artifact; the same specialists give the same bytes.

    Args:
        path: The file, written whole or not at all.
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
    for index, specialist in enumerate(specialists):
        check_weights(
            specialist.name, specialist.backbone, specialist.in_chans, specialist.state_dict
        )
        config = _config(specialist)
        if state is not None and index == 0:
            config[STATE_KEY] = state
        entries.append((specialist.in_chans, specialist.state_dict, config))
    tensors.write(path, entries)


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
    specialists = [_from_entry(entry, path, index) for index, entry in enumerate(entries)]
    return specialists, config[STATE_KEY]


def export_artifact(files: Sequence[Path | str], out: Path | str) -> list[Specialist]:
    """Gather specialist files, in the order given, into one artifact, and return what is in it.

    Raises:
        EosfmError: A file cannot be read, or two specialists have one name.
    """
    specialists = [load_specialist(path) for path in files]
    save_artifact(out, specialists)
    return specialists


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


def _entries(path: Path | str) -> list[tuple[int, dict[str, Tensor], dict[str, Any]]]:
    content = tensors.read(path)
    if not isinstance(content, list) or not content:
        raise EosfmError(
            f"{path} holds a {type(content).__name__}, expected a list of "
            "(in_chans, state_dict, config); build it with eosfm.encoding.artifact.save_artifact"
        )
    for index, entry in enumerate(content):
        parts = entry if isinstance(entry, tuple) and len(entry) == 3 else (None, None, None)
        kinds = (int, dict, dict)
        if not all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True)):
            raise EosfmError(f"entry {index} of {path} is not (in_chans, state_dict, config)")
    return content


def _from_entry(entry: tuple[int, Any, Any], path: Path | str, index: int) -> Specialist:
    in_chans, state_dict, config = entry
    facts = {key: value for key, value in config.items() if key != STATE_KEY}
    facts.setdefault("name", facts.get("encoder_name", f"specialist_{index}"))
    facts.pop("encoder_name", None)
    facts["backbone"] = str(facts.get("backbone", "")).removeprefix(PREFIX)
    return build_specialist(in_chans, state_dict, facts, f"entry {index} of {path}")


def _config(specialist: Specialist) -> dict[str, Any]:
    """The third part of an entry."""
    config: dict[str, Any] = {
        "backbone": PREFIX + specialist.backbone,
        "encoder_name": specialist.name,
        "name": specialist.name,
    }
    for key in PER_CHANNEL:
        if (values := getattr(specialist, key)) is not None:
            config[key] = list(values)
    return config | {key: specialist.facts[key] for key in sorted(specialist.facts)}
