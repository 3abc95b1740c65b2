"""The shell of the stages that a worker runs: ``shell.py WORKER SHELL -c COMMAND``.

DVC gives a stage's command to ``$SHELL``, and leaves it running when it is killed itself. This
shell ends the command, and all that it started, when the worker's process is no more. What the
command prints goes to the file that ``EOSFM_STAGE_LOG`` names.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress

LOOK = 0.2
"""Seconds between two looks at the worker."""
PATIENCE = 3
"""Seconds that a command has to end when it is told to."""


def main(worker: int, words: list[str]) -> int:
    """Run a command; its exit status, or that of a shell whose command was ended by a signal."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Ctrl-C reaches every process of the terminal: the worker decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with open(os.environ["EOSFM_STAGE_LOG"], "ab") as log:
        command = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        while os.getppid() == worker:
            with suppress(subprocess.TimeoutExpired):
                code = command.wait(LOOK)
                return code if code >= 0 else 128 - code
        return 1
    finally:
        _end(command)


def _end(command: "subprocess.Popen[bytes]") -> None:
    """End a command that still runs, with its children."""
    if command.poll() is not None:
        return
    os.killpg(command.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        command.wait(PATIENCE)
    with suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
