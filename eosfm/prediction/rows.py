"""Finished rows of windows, kept beside an output until it is complete.

A killed prediction resumes after the last of them and gives the same bytes, since the output is
always written from kept rows, whether new or found.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch

from eosfm.core.closure import code_hash
from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.core.mapped import DAMAGED
from eosfm.core.parallel import cores

Arrays = dict[str, np.ndarray]
"""Arrays kept of a row, by name."""
DIGITS = 16
"""Length of the hash in a folder's name."""


def joined(parts: Sequence[Arrays]) -> Arrays:
    """Concatenate the arrays of several parts, by name."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class Rows:
    """The kept rows of one prediction.

    Rows for the same output of another scene, task, option, code or number of cores (on which the
    last digits of sums depend) are removed.

    Args:
        out: The output that they are for.
        code: The module that makes them; what it imports counts as well.
        count: Number of rows of the complete output.
        decisive: Plain values that the rows depend on.
    """

    def __init__(self, out: Path, code: Path, count: int, *decisive: Any) -> None:
        self.out, self.count = out, count
        said = repr((torch.__version__, cores(), code_hash(code), *decisive))
        digest = hashlib.sha256(said.encode()).hexdigest()[:DIGITS]
        self.folder = out.with_name(f".{out.name}.{digest}.rows")
        for former in out.parent.glob(f".{escape(out.name)}.{'[0-9a-f]' * DIGITS}.rows"):
            if former != self.folder:
                shutil.rmtree(former, ignore_errors=True)  # another process may do so too

    def done(self) -> int:
        """Number of finished rows before the first missing one."""
        number = 0
        while self._file(number).exists():
            number += 1
        return number

    def fill(self, make: Callable[[int], Iterator[Arrays]]) -> None:
        """Make and keep the missing rows; ``make(first)`` yields all from ``first`` on."""
        first = self.done()
        for number, arrays in enumerate(make(first), first):
            self.keep(number, arrays)

    def keep(self, number: int, arrays: Arrays) -> None:
        """Write a row atomically.

        Raises:
            EosfmError: Another process removes it meanwhile.
        """
        try:
            with atomic(self._file(number)) as beside, beside.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except FileNotFoundError:
            raise self._shared() from None

    def read(self) -> Iterator[Arrays]:
        """Yield all rows in order, one in memory at a time.

        Raises:
            EosfmError: A row is damaged, or was removed since it was made.
        """
        for number in range(self.count):
            try:
                with np.load(self._file(number), allow_pickle=False) as kept:
                    yield {name: kept[name] for name in kept.files}
            except FileNotFoundError:
                raise self._shared() from None
            except DAMAGED:
                raise EosfmError(
                    f"{self._file(number)} is damaged; remove {self.folder} and run it again"
                ) from None

    def remove(self) -> None:
        """Remove all rows once the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _shared(self) -> EosfmError:
        return EosfmError(
            f"{self.out} is written by another process too, which removed what this one kept; let "
            "one of them end, and run again"
        )

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"
