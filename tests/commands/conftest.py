"""A command, called as a user does."""

import sys

import pytest

import eosfm.cli


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command in this process: status, what it printed, its errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["eosfm", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            eosfm.cli.main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run
