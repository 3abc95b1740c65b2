"""The ensemble artifact: all specialists in one file that the published code can read too.

The file is a list of ``(in_chans, state_dict, config)`` tuples. ``config["backbone"]`` is timm's
name behind ``timm_`` and ``config["encoder_name"]`` the specialist's name; what else this project
knows of a specialist (bands, units, statistics, provenance) are further keys of ``config``.
Tensors and plain values only: files are always read with ``weights_only=True``.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.nn.faults import check_specialists
from eosfm.nn.specialist import PER_CHANNEL, Specialist, build_specialist, load_specialist

PREFIX = "timm_"
STATE_KEY = "eosfm"
"""Key of the first entry's config under which a saved backbone keeps its fusion."""


Entry = tuple[int, dict[str, Tensor], dict[str, Any]]
"""Channels, weights and config of one specialist."""


def load_artifact(path: Path | str) -> list[Specialist]:
    """Read an artifact, a published one or one of ours.

    Raises:
        EosfmError: The file is missing, damaged, holds code or is no artifact, or weights do not
            fit their backbone.
    """
    return load_entries(read_entries(path), path)


def load_entries(
    entries: Sequence[Entry], path: Path | str, names: Collection[str] | None = None
) -> list[Specialist]:
    """The specialists of an artifact's entries, if they can be used: the one way from a file.

    Args:
        entries: From :func:`read_entries`.
        path: Where they are from; errors name it.
        names: Those wanted, in the file's order; None for all. The others' weights are not looked
            at.

    Raises:
        EosfmError: An entry lacks something, weights do not fit their backbone, names stand twice,
            or weights or statistics are no finite numbers.
    """
    specialists = [parse_entry(entry, path, index) for index, entry in enumerate(entries)]
    if names is not None:
        specialists = [one for one in specialists if one.name in names]
    check_specialists(specialists)
    return specialists


def save_artifact(
    path: Path | str, specialists: Sequence[Specialist], state: Mapping[str, Any] | None = None
) -> None:
    """Write an artifact; the same specialists give the same bytes.

    Args:
        path: The file, written whole or not at all.
        specialists: At least one, names unique.
        state: Fusion settings and weights of a saved backbone, kept in the first entry's config.

    Raises:
        EosfmError: There is no specialist, or one of :func:`check_specialists`'s faults.
    """
    tensors.write(path, to_entries(specialists, state))


def to_entries(
    specialists: Sequence[Specialist], state: Mapping[str, Any] | None = None
) -> list[Entry]:
    """What :func:`save_artifact` writes.

    Raises:
        EosfmError: There is no specialist, or one of :func:`check_specialists`'s faults.
    """
    if not specialists:
        raise EosfmError("no specialist to write; give at least one")
    check_specialists(specialists)
    entries = []
    for index, specialist in enumerate(specialists):
        config = _config(specialist)
        if state is not None and index == 0:
            config[STATE_KEY] = dict(state)
        entries.append((specialist.in_chans, dict(specialist.state_dict), config))
    return entries


def load_saved(path: Path | str) -> tuple[list[Specialist], dict[str, Any]]:
    """Read what :meth:`eosfm.EosFM.save` wrote: specialists, and fusion settings and weights.

    Raises:
        EosfmError: The file cannot be used, or holds specialists alone.
    """
    entries = read_entries(path)
    config = entries[0][2]
    if STATE_KEY not in config:
        raise EosfmError(
            f"{path} holds specialists but no fusion; open it with EosFM.from_artifact, and save() "
            "that"
        )
    return load_entries(entries, path), config[STATE_KEY]


def export_artifact(files: Sequence[Path | str], out: Path | str) -> list[Specialist]:
    """Gather specialist files, in the order given, into one artifact, and return what is in it.

    Raises:
        EosfmError: A file cannot be read, or two specialists have one name.
    """
    specialists = [load_specialist(path) for path in files]
    save_artifact(out, specialists)
    return specialists


def read_entries(path: Path | str, mapped: bool = False, summed: bool = True) -> list[Entry]:
    """What an artifact holds, entry by entry, as it stands there.

    Args:
        path: The file.
        mapped: See :func:`eosfm.core.tensors.read`.
        summed: Likewise.

    Raises:
        EosfmError: The file is missing, damaged, holds code or is no list of entries.
    """
    return check_entries(tensors.read(path, mapped, summed), path)


def check_entries(content: Any, path: Path | str) -> list[Entry]:
    """Entries of the right form, whatever file they are from.

    Raises:
        EosfmError: It is no list of entries.
    """
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


def parse_entry(entry: Entry, path: Path | str, index: int) -> Specialist:
    """One entry as a specialist; its weights are not compared with its backbone.

    Raises:
        EosfmError: Something is missing or is of another form.
    """
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
