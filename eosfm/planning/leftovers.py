"""Results of entries that params.yaml no longer has."""

import hashlib
import re
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
NAMES = re.compile(r"^  (\w+)@(\w+):$", re.MULTILINE)
"""Of the stages of a lock that run once for each entry."""
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
        for made in _left_over(params, project / lock):
            removed += [path for out in made.get("outs", ()) if (path := _remove(project, out))]
    return removed


def _left_over(params: Params, lock: Path) -> list[dict[str, Any]]:
    """What a lock says of stages whose entries are gone."""
    text = lock.read_text() if lock.exists() else ""
    # Mostly none is gone, as the names tell; to parse all takes a tenth of a second.
    gone = [
        f"{stage}@{entry}"
        for stage, entry in NAMES.findall(text)
        if stage in SECTIONS and entry not in getattr(params, SECTIONS[stage])
    ]
    stages = yaml.safe_load(text)["stages"] if gone else {}
    return [stages[name] for name in gone]


def _remove(project: Path, out: dict[str, Any]) -> Path | None:
    """Remove one output, if it is there and as it was made."""
    path = project / out["path"]
    if Path(out["path"]).parts[0] not in READ_WHOLE:
        return None
    if path.is_dir():
        if path.is_symlink():  # what it leads to lies elsewhere, and stays
            path.unlink()
        else:
            shutil.rmtree(path)
        return path
    if path.exists() and hashlib.md5(path.read_bytes()).hexdigest() == out["md5"]:
        path.unlink()
        return path
    return None
