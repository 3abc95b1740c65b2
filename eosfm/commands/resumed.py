"""What a command says that is stopped and can be gone on with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

ROWS = "the same command goes on from the last finished row of windows"
"""As :class:`eosfm.prediction.rows.Rows` keeps them."""


@contextmanager
def resumed(how: str = ROWS) -> Iterator[None]:
    """Around work that keeps what is done; ``how`` says how it goes on."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"interrupted: {how}", file=sys.stderr)
        raise typer.Exit(130) from None
