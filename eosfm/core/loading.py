"""Imports without garbage collection.

Loading torch and its kin makes half a million objects that live to the end of the process. Python's
garbage collector would look through them again and again while they load, and once more at the end:
a third of the time that a stage takes to start and to end.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

USUAL = gc.get_threshold()
LOADING = 100_000


def begin_loading() -> None:
    """Seldom look for garbage."""
    gc.set_threshold(LOADING)


def end_loading() -> None:
    """What is loaded by now stays; look for garbage as usual."""
    gc.freeze()
    gc.set_threshold(*USUAL)


@contextmanager
def loading() -> Iterator[None]:
    """Around imports that wait until a stage or a command runs."""
    begin_loading()
    yield
    end_loading()
