"""Writes a fitted task with its specialists as one file, usable without the ensemble."""

from dataclasses import replace
from pathlib import Path

from eosfm.encoding.artifact import to_entries
from eosfm.evaluation.fitted import read_fitted, write_fitted
from eosfm.prediction.model import read_ensemble


def bundle(task: Path, artifact: Path, out: Path) -> str:
    """Write a task that needs no ensemble artifact; the same task gives the same bytes.

    Args:
        task: Its file from stage evaluate.
        artifact: The ensemble that it was fitted on.
        out: The .pt file, written atomically.

    Returns:
        One line for the user.

    Raises:
        EosfmError: A file cannot be read, or the task was fitted on another ensemble.
    """
    fitted = read_fitted(task)
    specialists = read_ensemble(fitted, artifact)
    write_fitted(out, replace(fitted, ensemble=tuple(to_entries(specialists))))
    names = ", ".join(one.name for one in specialists)
    return f"{out}: {fitted.task} with {names}, {out.stat().st_size / 2**20:.0f} MiB"
