"""Objects named as text."""

from importlib import import_module
from typing import Any


def named(path: str) -> Any:
    """What a dotted path names, imported when it is needed.

    For tables and facts that stages read without running what they name: such a stage neither
    loads it nor depends on it. Tests hold that the stages that run it do.
    """
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
