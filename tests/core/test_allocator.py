"""Freed memory is used again."""

import subprocess
import sys

import pytest

ROUNDS = """
import resource
import torch
{first}
x = torch.ones(2_000_000)
for _ in range(3): y = x * 2; del y
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20): y = x * 2; del y
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_no_page_is_taken_anew():
    def faults(first: str) -> int:
        command = [sys.executable, "-c", ROUNDS.format(first=first)]
        return int(subprocess.run(command, check=True, capture_output=True).stdout)

    assert faults("import eosfm.cli") < 200  # of 20 times 1,953 pages of 4 kB
