"""What a check finds: faults, which stop a run, and notes, which a user should know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eosfm.core.errors import EosfmError


@dataclass(frozen=True)
class Finding:
    """One line of a check.

    Attributes:
        fault: Whether it stops a run.
        text: What was found, what was expected, what to do.
    """

    fault: bool
    text: str


def fault(text: str) -> Finding:
    """What stops a run."""
    return Finding(True, text)


def note(text: str) -> Finding:
    """What a user should know."""
    return Finding(False, text)


def one_line(error: Exception) -> str:
    """What an error says."""
    return " ".join(str(error).split())


def of_copy(name: str, error: Exception) -> str:
    """What an error says of an entry's copy, by the key that names it."""
    return f"datasets.{name}: {one_line(error).removeprefix(f'{name}: ')}"


def no_copy(name: str, title: str, root: str) -> str:
    """What is wrong with an entry's root that holds nothing of its dataset."""
    folder = Path(root).expanduser()
    if folder.is_dir():
        return (
            f"datasets.{name}: {folder} holds no labelled scene; expected a copy of {title}; "
            f"correct datasets.{name}.root"
        )
    return (
        f"datasets.{name}.root is {root}, which is no folder; expected a copy of {title}; correct "
        "it, or set it to null to download one"
    )


def refusals(*steps: Callable[[], object]) -> Iterator[Finding]:
    """Run pipeline steps, and turn the errors that they raise into faults."""
    for step in steps:
        try:
            step()
        except EosfmError as error:
            yield fault(one_line(error))
