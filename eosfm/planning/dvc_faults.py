"""DVC's errors as one-line messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from eosfm.core.errors import EosfmError

INTERRUPTED = ("exited with -2", "exited with 130")
"""How DVC tells of a command that Ctrl-C has ended, while DVC itself does not hear of it."""


@contextmanager
def dvc_errors() -> Iterator[None]:
    """Turn errors of calls into DVC into an :class:`EosfmError`.

    Raises:
        EosfmError: DVC refuses a call: no repository of Git, a file with marks of a merge.
        KeyboardInterrupt: Ctrl-C has ended a stage.
    """
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        if merging := _half_merged():
            raise EosfmError(
                f"{merging} holds marks of a merge; take either side, as by `git checkout --ours "
                f"{merging}`, and run again: what is not of this side runs anew"
            ) from None
        cause = origin(error)
        if str(cause).endswith(INTERRUPTED):
            raise KeyboardInterrupt from None
        raise EosfmError(f"DVC: {error}" + (f": {cause}" if cause is not error else "")) from None


def _half_merged() -> str | None:
    """The first of DVC's files here in which Git has left two versions."""
    here = Path()
    found = (sorted(here.glob(f"{below}dvc.*")) for below in ("", "*/", "*/*/"))
    for path in (here / "params.yaml", *chain.from_iterable(found)):
        if path.is_file() and any(line.startswith(b"<<<<<<< ") for line in path.open("rb")):
            return str(path)
    return None


def origin(error: BaseException) -> BaseException:
    """The root cause of an error."""
    return error if error.__cause__ is None else origin(error.__cause__)
