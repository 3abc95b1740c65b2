"""What a command says that is stopped and can be gone on with."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def resumed() -> Iterator[None]:
    """Around work that keeps finished rows of windows (:class:`eosfm.prediction.rows.Rows`)."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            "interrupted: the same command goes on from the last finished row of windows",
            file=sys.stderr,
        )
        raise typer.Exit(130) from None
