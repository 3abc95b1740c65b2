"""Progress: a bar on a terminal, and a plain line now and then in a log."""

import sys
from typing import Any

from tqdm import tqdm

EVERY = 30.0
"""Seconds before the first line and between two, where there is no terminal to draw a bar on."""


class _Lines(tqdm):
    """A bar for log files: a plain line now and then."""

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if msg is None:  # an empty one would wipe the line out
            print(self, file=sys.stderr, flush=True)


def progress(form: str, **options: Any) -> Any:
    """A bar that is wiped out at the end; without a terminal, lines, and none for short work.

    Args:
        form: How a line is put together, as tqdm's ``bar_format``.
        options: Of tqdm.
    """
    if sys.stderr.isatty():
        return tqdm(leave=False, dynamic_ncols=True, **options)
    return _Lines(
        leave=False, bar_format=form, mininterval=EVERY, delay=EVERY, miniters=1, **options
    )
