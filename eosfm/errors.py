"""What a user sees when something is wrong: one line, exit status 1."""

import os
import sys
from collections.abc import Callable
from typing import Any


class EosfmError(Exception):
    """A fault that the user can mend.

    The message is one line: what was found, what was expected, what to do.
    """


def run(main: Callable[..., Any]) -> None:
    """Run a stage's or a tool's ``main`` as a command line.

    An :class:`EosfmError` is printed as one line on standard error and ends the process with
    status 1. With ``EOSFM_DEBUG=1`` the traceback is shown instead.
    """
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except EosfmError as error:
        if os.environ.get("EOSFM_DEBUG") == "1":
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def suggest(name: str, valid: "list[str] | tuple[str, ...]") -> str:
    """Say which names are valid, the nearest first when there is a near one."""
    import difflib

    near = difflib.get_close_matches(name, valid, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}valid: {', '.join(valid)}"
