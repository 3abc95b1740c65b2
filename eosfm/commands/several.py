"""Options that take several values in a row, such as ``--bands B04 B03``."""

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperCommand


class Command(TyperCommand):
    """A command in which ``--bands B04 B03`` means ``--bands B04 --bands B03``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, with such options repeated per value."""
        several = {word for p in self.params if getattr(p, "multiple", False) for word in p.opts}
        return super().parse_args(ctx, repeat_options(args, several))


def repeat_options(words: Sequence[str], several: Collection[str]) -> list[str]:
    """Repeat an option before each of its values but the first.

    Values end at the next word that starts with a dash, so arguments must precede such options.
    After ``-S KEY=VALUE`` they also end at a word without ``=``, which is a stage, as in DVC.
    """
    written: list[str] = []
    option = ""
    first: str | None = None
    for word in words:
        if word.startswith("-"):
            option, first = word if word in several else "", None
        elif option and first is None:
            first = word
        elif option and first and "=" in first and "=" not in word:
            option = ""
        elif option:
            written.append(option)
        written.append(word)
    return written
