"""Which scenes a copy holds: folders, lists and tables."""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.layout import require


def listed(folder: Path, pattern: str, dataset: str, expected: str) -> list[Path]:
    """The files of a folder that match a pattern, sorted.

    Raises:
        EosfmError: The folder is missing or holds none.
    """
    found = sorted(require(folder, dataset, expected).glob(pattern))
    if not found:
        raise EosfmError(f"{folder} holds no {pattern}; expected {expected}; fetch the files again")
    return found


def parse(pattern: str, text: str, path: Path, expected: str) -> re.Match[str]:
    """Match a name, or a line of a list, completely.

    Raises:
        EosfmError: It is of another form.
    """
    match = re.fullmatch(pattern, text)
    if not match:
        raise EosfmError(
            f"{path}: found {text[:120]!r}; expected {expected}; fetch it again, or remove it"
        )
    return match


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV table with a header.

    Raises:
        EosfmError: The table has no such columns.
    """
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        found = rows.fieldnames or ()
        if not set(columns) <= set(found):
            raise EosfmError(
                f"{path} has the columns {', '.join(found)}; expected {', '.join(columns)}; fetch "
                "the file again"
            )
        yield from rows


@contextmanager
def expecting(path: Path, expected: str) -> Iterator[None]:
    """Say in one line that a file does not hold what is looked for in it.

    Raises:
        EosfmError: A value is missing, or of another type or form.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(repr(error).split())[:120]
        raise EosfmError(
            f"{path} is not the file expected ({reason}); expected {expected}; fetch it again"
        ) from None
