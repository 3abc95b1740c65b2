"""Artifacts from artifacts: some specialists of one, or those of several."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.files import read_json
from eosfm.encoding.artifact import STATE_KEY, load_entries, read_entries, save_artifact
from eosfm.nn.specialist import Specialist, load_specialist


def prune_artifact(artifact: Path, keep: Sequence[str], out: Path) -> str:
    """Write an artifact of the named specialists alone, in their former order.

    Returns:
        What was done, to be printed.

    Raises:
        EosfmError: The artifact cannot be used, or has no specialist of a name.
    """
    specialists, note = _open(artifact)
    names = [one.name for one in specialists]
    for name in keep:
        if name not in names:
            raise EosfmError(f"{artifact} has no specialist {name!r}; {suggest(name, names)}")
    kept = [one for one in specialists if one.name in keep]
    save_artifact(out, kept)
    return f"{_told(out, kept)}, of {len(names)} in {artifact}{note}"


def selected_by(metrics: Path) -> list[str]:
    """Names of the specialists that a task's evaluation selected.

    Args:
        metrics: ``results/evaluate/<task>/metrics.json``.

    Raises:
        EosfmError: The file is missing, or does not say.
    """
    result = read_json(metrics, "run `dvc repro evaluate@TASK`")
    selected = result.get("selected") if isinstance(result, dict) else None
    if not (isinstance(selected, list) and selected and all(isinstance(s, str) for s in selected)):
        raise EosfmError(
            f"{metrics} names no selected specialist; expected results/evaluate/<task>/metrics.json"
        )
    return selected


def merge_artifacts(
    artifacts: Sequence[Path], out: Path, prefixes: Sequence[str] | None = None
) -> str:
    """Write an artifact of the specialists of several, in order.

    Args:
        artifacts: At least two; one that ends in ``.pt`` is the file of a specialist.
        out: The file to write.
        prefixes: Put before the names, one per artifact.

    Returns:
        What was done, to be printed.

    Raises:
        EosfmError: An artifact cannot be used, a name stands twice, or prefixes and artifacts are
            not as many.
    """
    if len(artifacts) < 2:
        raise EosfmError(f"{len(artifacts)} artifact to merge; give at least two")
    if prefixes is not None and len(prefixes) != len(artifacts):
        raise EosfmError(
            f"{len(prefixes)} prefixes for {len(artifacts)} artifacts; give one each, '' for none"
        )
    found: dict[str, Path] = {}
    merged: list[Specialist] = []
    notes = []
    for artifact, prefix in zip(artifacts, prefixes or [""] * len(artifacts), strict=True):
        specialists, note = _open(artifact)
        notes.append(note)
        for one in specialists:
            name = prefix + one.name
            if name in found:
                raise EosfmError(
                    f"specialist {name!r} is in {found[name]} and in {artifact}; give --prefix "
                    "with one prefix per artifact to rename them, or prune it from one"
                )
            found[name] = artifact
            merged.append(replace(one, name=name))
    save_artifact(out, merged)
    return _told(out, merged) + "".join(notes)


def _open(artifact: Path) -> tuple[list[Specialist], str]:
    """The specialists of an artifact or of one's own file, and what of it is left behind."""
    if artifact.suffix == ".pt":  # as training writes one
        return [load_specialist(artifact)], ""
    entries = read_entries(artifact)
    saved = STATE_KEY in entries[0][2]
    note = f"; the fusion of {artifact} is left out: it is made for all of its specialists"
    return load_entries(entries, artifact), note if saved else ""


def _told(out: Path, specialists: Sequence[Specialist]) -> str:
    names = ", ".join(one.name for one in specialists)
    return f"{out} has {len(specialists)} specialist{'s' * (len(specialists) != 1)}: {names}"
