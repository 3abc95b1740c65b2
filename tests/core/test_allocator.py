"""Freed memory is used again, and returned on request."""

import subprocess
import sys

import pytest

ROUNDS = """
import resource
{first}
def work(): return [b"x" * 8_000_000 for _ in range(10)]
for _ in range(3): work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3): work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""80 MB made and dropped at once, above what glibc keeps by itself."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_pages_are_not_taken_anew():
    def faults(first: str) -> int:
        command = [sys.executable, "-c", ROUNDS.format(first=first)]
        return int(subprocess.run(command, check=True, capture_output=True).stdout)

    # Where a block lies in the heap is a matter of chance, and now and then one is taken anew.
    assert faults("import eosfm.cli") < faults("") / 4


RETURNED = """
import psutil
import eosfm.cli
from eosfm.core.allocator import return_freed_memory
blocks = [b"x" * 1_000_000 for _ in range(200)]
last = b"x" * 1_000_000  # above them all, so that the heap cannot just end lower
del blocks
before = psutil.Process().memory_info().rss
return_freed_memory()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_pages_are_returned():
    command = [sys.executable, "-c", RETURNED]
    assert int(subprocess.run(command, check=True, capture_output=True).stdout) > 150_000_000
