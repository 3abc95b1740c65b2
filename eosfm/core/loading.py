"""Imports without garbage collection, and without packages that nothing here uses.

Loading torch and its kin makes half a million objects that live to the end of the process. Python's
garbage collector would look through them again and again while they load, and once more at the end:
a third of the time that a stage takes to start and to end.

torchmetrics, which Lightning brings, loads scipy to mend a name in it, and matplotlib for plots of
its own, wherever they are installed. Together they take more than half as long as torch itself.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from typing import Any

USUAL = gc.get_threshold()
LOADING = 100_000
UNUSED = ("matplotlib", "scipy")
"""What torchmetrics need not find."""


def begin_loading() -> None:
    """Seldom look for garbage."""
    gc.set_threshold(LOADING)


def end_loading() -> None:
    """Exempt what is loaded by now from garbage collection, which runs as usual again."""
    gc.freeze()
    gc.set_threshold(*USUAL)


@contextmanager
def loading() -> Iterator[None]:
    """Around imports that wait until a stage or a command runs."""
    begin_loading()
    with lean():
        yield
    end_loading()


@contextmanager
def lean() -> Iterator[None]:
    """Around imports of torchmetrics: it does not see :data:`UNUSED`; what is ours still does."""
    import lightning_utilities.core.imports

    library: Any = lightning_utilities.core.imports
    find_spec, version = library.find_spec, library._version

    def some_version(name: str) -> str:
        if name in UNUSED:
            raise PackageNotFoundError(name)
        return str(version(name))

    library.package_available.cache_clear()
    library.find_spec = lambda name: None if name in UNUSED else find_spec(name)
    library._version = some_version
    try:
        yield
    finally:
        library.find_spec, library._version = find_spec, version
        library.package_available.cache_clear()
