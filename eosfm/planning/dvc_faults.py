"""Faults of DVC's, told in a line."""

from collections.abc import Callable
from typing import TypeVar

from eosfm.core.errors import EosfmError

T = TypeVar("T")


def told(work: Callable[[], T]) -> T:
    """Work of DVC's.

    Raises:
        EosfmError: DVC refuses it: no repository of Git, a file with marks of a merge.
    """
    from dvc.exceptions import DvcException

    try:
        return work()
    except DvcException as error:
        cause = origin(error)
        raise EosfmError(f"DVC: {error}" + (f": {cause}" if cause is not error else "")) from None


def origin(error: BaseException) -> BaseException:
    """What an error came of in the end."""
    return error if error.__cause__ is None else origin(error.__cause__)
