"""Finds the file of a fitted task, by path or by name."""

from pathlib import Path

from eosfm.core.errors import EosfmError

FITTED = Path("models/tasks")
"""Where stage evaluate keeps the best fit of each task."""


def task_file(task: str) -> Path:
    """The file of a task, by its path or its name in params.yaml; it may not be made yet.

    Raises:
        EosfmError: There is no such file, and params.yaml has no task that would make it.
    """
    from eosfm.params import load_params

    path = Path(task) if task.endswith(".pt") else FITTED / f"{task}.pt"
    if not path.is_file():
        if path.parent != FITTED:
            raise EosfmError(f"{path} not found; give another file, or the name of a task")
        load_params().task(path.stem)
    return path
