"""Functions that are called when the loop that made them has gone on."""

from collections.abc import Callable
from types import CellType, FunctionType
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def settled(function: F) -> F:
    """A function whose outer variables stay as they are now.

    A reader is a loop, and its scenes are read when it is at a later one: a lambda in it that
    names a variable of the loop would read what that one has, and get no error.
    """
    if not isinstance(function, FunctionType) or not function.__closure__:
        return function
    cells = tuple(map(_copied, function.__closure__))
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy  # type: ignore[return-value]


def _copied(cell: CellType) -> CellType:
    try:
        return CellType(cell.cell_contents)
    except ValueError:  # a variable that gets its value later
        return cell
