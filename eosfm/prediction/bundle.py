"""A fitted task and the specialists that it uses in one file, for those who lack the ensemble."""

from dataclasses import replace
from pathlib import Path

from eosfm.encoding.artifact import to_entries
from eosfm.evaluation.fitted import read_fitted, write_fitted
from eosfm.prediction.model import read_ensemble


def bundle(task: Path, artifact: Path, out: Path) -> str:
    """Write a task that needs no ensemble beside it; the same task gives the same bytes.

    Args:
        task: What stage evaluate kept of it.
        artifact: The ensemble that it was fitted on.
        out: A file of suffix .pt, written whole or not at all.

    Returns:
        One line for the user.

    Raises:
        EosfmError: A file cannot be read, or the ensemble is another one.
    """
    fitted = read_fitted(task)
    specialists = read_ensemble(fitted, artifact)
    write_fitted(out, replace(fitted, ensemble=tuple(to_entries(specialists))))
    names = ", ".join(one.name for one in specialists)
    return f"{out}: {fitted.task} with {names}, {out.stat().st_size / 2**20:.0f} MiB"
