"""The shell of the stages of ``eosfm repro``: ``shell.py PARENT SHELL -c COMMAND``.

DVC gives a stage's command to ``$SHELL``, and leaves it running when it is killed itself. This
shell ends the command, and all that it started, when its parent, the process with DVC in it, is no
more. What the command prints goes to the file that ``EOSFM_STAGE_LOG`` names, if it names one.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

LOG = "EOSFM_STAGE_LOG"
USERS = "EOSFM_USERS_SHELL"
"""Variable with the shell that was there first; workers here inherit the other."""
LOOK = 0.2
"""Seconds between two looks at the parent."""
PATIENCE = 3
"""Seconds that a command has to end when it is told to."""


def use(folder: Path) -> None:
    """Let DVC in this process run its stages in this shell; a script in ``folder`` starts it."""
    import shlex

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
    command = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        while os.getppid() == parent:
            with suppress(subprocess.TimeoutExpired):
                code = command.wait(LOOK)
                return code if code >= 0 else 128 - code
        return 1
    finally:
        _end(command)


def _leave(number: int, frame: object) -> None:
    """End with the command."""
    _hear_no_more()
    sys.exit(128 + number)


def _hear_no_more() -> None:
    """Who asks again must not keep this one from waiting for the command's end."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)


def _end(command: "subprocess.Popen[bytes]") -> None:
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
