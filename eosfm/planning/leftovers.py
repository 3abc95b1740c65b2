"""Results of entries that params.yaml no longer has."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import yaml

from eosfm.params import Params

SECTIONS = {
    "download": "datasets", "tile": "datasets", "train": "specialists", "features": "tasks",
    "evaluate": "tasks", "baseline": "tasks",
}  # fmt: skip
"""Of params.yaml, by the stages that run once for each of their entries."""
LOCKS = ("dvc.lock", "data/dvc.lock")
READ_WHOLE = ("models", "results")
"""Folders with files of all entries that a stage has for a dep."""


def remove_leftovers(params: Params, project: Path) -> list[Path]:
    """Remove what DVC's locks say was made for entries that were taken out of params.yaml.

    A stage with such a folder for a dep would have results here that no clone reproduces. DVC's
    cache keeps what is removed. A file that is not what the lock says is the user's own and stays.

    Args:
        params: The parameters.
        project: The project's root.

    Returns:
        What was removed.
    """
    removed = []
    for lock in LOCKS:
        for name, made in _stages(project / lock).items():
            stage, _, entry = name.partition("@")
            if stage in SECTIONS and entry not in getattr(params, SECTIONS[stage]):
                removed += [path for out in made.get("outs", ()) if (path := _remove(project, out))]
    return removed


def _stages(lock: Path) -> dict[str, Any]:
    if not lock.exists():
        return {}
    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # which PyYAML has where libyaml is
    stages: dict[str, Any] = yaml.load(lock.read_text(), fast)["stages"]
    return stages


def _remove(project: Path, out: dict[str, Any]) -> Path | None:
    """Remove one output, if it is there and as it was made."""
    path = project / out["path"]
    if Path(out["path"]).parts[0] not in READ_WHOLE:
        return None
    if path.is_dir():
        shutil.rmtree(path)
        return path
    if path.exists() and hashlib.md5(path.read_bytes()).hexdigest() == out["md5"]:
        path.unlink()
        return path
    return None
