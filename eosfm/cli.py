"""How stages and tools start and end.

Import this module first, as ``import eosfm.cli``. Loading torch and its kin makes half a
million objects that live to the end of the process. Python's garbage collector would look through
them again and again while they load, and once more at the end: a third of the time that a stage
takes to start and to end.
"""

import gc
import os
import sys
from collections.abc import Callable
from typing import Any

from eosfm.core.errors import EosfmError

_USUAL = gc.get_threshold()
gc.set_threshold(100_000)


def run(main: Callable[..., Any]) -> None:
    """Run a stage's or a tool's ``main`` as a command line.

    An :class:`EosfmError` is printed as one line on standard error and ends the process with
    status 1. With ``EOSFM_DEBUG=1`` the traceback is shown instead.
    """
    import typer

    gc.freeze()  # what is loaded by now stays
    gc.set_threshold(*_USUAL)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except EosfmError as error:
        if os.environ.get("EOSFM_DEBUG") == "1":
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
