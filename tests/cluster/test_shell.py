"""The shell of stages ends what it started, however often it is asked to."""

import os
import signal
import subprocess
import sys
import time

import psutil

START = """
import sys
from eosfm.cluster import shell
shell.PATIENCE = 1
sys.exit(shell.main(int(sys.argv[1]), sys.argv[2:]))
"""
STUBBORN = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); "
    "time.sleep(999)"
)


def test_what_ignores_the_first_signal_ends_although_more_come():
    words = [sys.executable, "-c", START, str(os.getpid()), "/bin/sh", "-c"]
    command = f'{sys.executable} -c "{STUBBORN}"; true'
    with subprocess.Popen([*words, command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        started = psutil.Process(process.pid).children(recursive=True)
        begun = time.monotonic()
        for _ in range(5):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert process.wait(60) == 128 + signal.SIGTERM
        took = time.monotonic() - begun
    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive and len(started) == 2
    assert took > 0.5  # it had time to end by itself
