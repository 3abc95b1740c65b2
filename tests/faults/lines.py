"""What a user sees of a fault: exit status 1 and one line, which the page of error lines has."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from eosfm import cli
from tests.faults.page import rows_of


def line_of(capsys: pytest.CaptureFixture[str], work: Callable[[], Any]) -> str:
    """The line that work ends with, run as a stage or a command is."""
    with pytest.raises(SystemExit) as ended:
        cli._finish(work)
    assert ended.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert len(lines[0]) < 1_500
    assert rows_of(lines[0]), f"docs/when-things-go-wrong.md lacks: {lines[0]}"
    return lines[0]


def assert_says(line: str, pattern: str) -> None:
    """A line holds a pattern."""
    assert re.search(pattern, line), line
