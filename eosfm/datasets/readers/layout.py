"""Whether a copy of a dataset has the layout that its reader expects."""

from pathlib import Path

from eosfm.core.errors import EosfmError, suggest


def require(path: Path, dataset: str, expected: str) -> Path:
    """Return ``path`` if it exists.

    Raises:
        EosfmError: It does not; the line names the path, what was expected there, the remedy.
    """
    if not path.exists():
        raise EosfmError(
            f"{dataset}: {path} not found; expected {expected}; point datasets.{dataset}.root at "
            "a complete copy, or delete the folder and run "
            f"`dvc repro -f data/dvc.yaml:download@{dataset}`"
        )
    return path


def one_of(name: str, names: list[str] | tuple[str, ...], what: str, where: Path) -> int:
    """Position of a name among those that a dataset has.

    Raises:
        EosfmError: It has no such name; the line names the nearest and where it was found.
    """
    if name not in names:
        raise EosfmError(
            f"{where}: unknown {what} {name!r}; {suggest(name, names)}; fetch the dataset's own "
            "files again"
        )
    return names.index(name)
