"""Objects named as text."""

from importlib import import_module
from typing import Any


def named(path: str) -> Any:
    """The object at a dotted path, imported when it is needed.

    A stage can read a table that names code without loading that code or depending on it. Tests
    make sure that the stages that run the code do depend on it.
    """
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
