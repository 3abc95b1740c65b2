"""The shell of the stages of ``eosfm repro``: ``shell.py PARENT SHELL -c COMMAND``.

DVC gives a stage's command to ``$SHELL``, and leaves it running when DVC itself is killed. This
shell ends the command and all its children once its parent, the process that runs DVC, is gone.
Output of the command goes to the file named by ``EOSFM_STAGE_LOG``, if set.
"""

import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LOG = "EOSFM_STAGE_LOG"
USERS = "EOSFM_USERS_SHELL"
"""Environment variable: the user's own shell, since workers inherit a replaced ``SHELL``."""
DOOR = "EOSFM_STAGE_DOOR"
"""Variable with the socket of a process that forks for commands (:mod:`eosfm.cluster.warm`)."""
SCRIPT = re.compile(r"python( [\w./@=-]+\.py)( [\w./@=-]+)*")
"""Commands that can be forked: they use no shell syntax."""
LOOK = 0.2
"""Seconds between two looks at the parent."""
PATIENCE = 3
"""Seconds that a command has to end when it is told to."""


def use(folder: Path) -> None:
    """Let DVC in this process run its stages in this shell; a script in ``folder`` starts it."""
    users = os.environ.setdefault(USERS, os.environ.get("SHELL") or "/bin/sh")
    words = [sys.executable, "-SsE", __file__, str(os.getpid()), users]
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / f"shell-{os.getpid()}"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    os.environ["SHELL"] = str(script.resolve())


def main(parent: int, words: list[str]) -> int:
    """Run a command; its exit status, or that of a shell whose command was ended by a signal."""
    signal.signal(signal.SIGTERM, _leave)
    if LOG not in os.environ:  # Ctrl-C reaches this one; workers let the user's folder decide
        signal.signal(signal.SIGINT, _leave)
    log = open(os.environ[LOG], "ab") if LOG in os.environ else None  # noqa: SIM115
    command = _forked(words, log) or subprocess.Popen(
        words, stdout=log, stderr=log, start_new_session=True
    )
    try:
        while os.getppid() == parent:
            with suppress(subprocess.TimeoutExpired):
                code = command.wait(LOOK)
                return code if code >= 0 else 128 - code
        return 1
    finally:
        _end(command)


class Forked:
    """A command started by the fork server, with the part of ``subprocess.Popen`` used here.

    Attributes:
        pid: Of the process, which leads a group of its own.
    """

    def __init__(self, door: socket.socket) -> None:
        self._door = door
        self._answers = door.makefile()
        self._code: int | None = None
        if not (told := self._answers.readline()):
            raise ConnectionResetError("nothing has begun")
        self.pid = int(told)

    def wait(self, timeout: float) -> int:
        """The exit status; if the server is gone and cannot report it, kill the group."""
        if self._code is None:
            if not select.select([self._door], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("", timeout)
            if not (told := self._answers.readline()):
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
            self._code = int(told or -signal.SIGKILL)
        return self._code

    def poll(self) -> int | None:
        """How it ended; None if it has not."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None


def _forked(words: Sequence[str], log: IO[bytes] | None) -> Forked | None:
    """Start ``SHELL -c "python SCRIPT WORDS"`` as a fork; None if no fork server answers."""
    python = shutil.which("python")
    if DOOR not in os.environ or len(words) != 3 or not SCRIPT.fullmatch(words[2]):
        return None
    if python is None or not os.path.samefile(Path(python).parent, Path(sys.executable).parent):
        return None  # other packages
    request = json.dumps([words[2].split()[1:], os.getcwd(), dict(os.environ)]).encode()
    files = [0, 1, 2] if log is None else [0, log.fileno(), log.fileno()]
    door = socket.socket(socket.AF_UNIX)
    try:
        with within(os.environ[DOOR]) as name:
            door.connect(name)
        socket.send_fds(door, [request], files)
        door.shutdown(socket.SHUT_WR)
        return Forked(door)
    except OSError:  # still loading, or no more
        door.close()
        return None


@contextmanager
def within(door: str) -> Iterator[str]:
    """A short name of a socket, through its open folder: socket paths are limited to 107 bytes."""
    folder, name = os.path.split(door)
    opened = os.open(folder or ".", os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{opened}/{name}"
    finally:
        os.close(opened)


def _leave(number: int, frame: object) -> None:
    """End with the command."""
    _hear_no_more()
    sys.exit(128 + number)


def _hear_no_more() -> None:
    """Ignore further signals, so that they do not interrupt the wait for the command's end."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)


def _end(command: "subprocess.Popen[bytes] | Forked") -> None:
    """End a command that still runs, with its children, which may outlive it."""
    if command.poll() is not None:
        return
    _hear_no_more()
    os.killpg(command.pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            command.poll()
            os.killpg(command.pid, 0)  # raises where none of them is left
            time.sleep(LOOK)
        os.killpg(command.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
