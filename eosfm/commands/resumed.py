"""The message of an interrupted command that can be resumed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

ROWS = "the same command goes on from the last finished row of windows"
"""How predictions resume (:class:`eosfm.prediction.rows.Rows`)."""


@contextmanager
def resumed(how: str = ROWS) -> Iterator[None]:
    """On Ctrl-C, print how the work within resumes, and exit with status 130."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted: {how}", file=sys.stderr)
        raise typer.Exit(130) from None
