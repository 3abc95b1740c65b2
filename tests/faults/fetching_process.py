"""A process that fetches once it is told to: `python -m tests.faults.fetching_process FACTS`."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import filelock  # noqa: F401  # here, so that what is timed is the fetching alone
import requests  # noqa: F401

from eosfm.datasets.fetching.fetch import fetch
from eosfm.datasets.native.spec import Archive, Source

facts = json.loads(Path(sys.argv[1]).read_text())
archives = tuple(Archive(**archive) for archive in facts["archives"])
source = Source("https://example.org", "CC0", "Nobody 2020", 0.001, archives)
print("ready", flush=True)
sys.stdin.readline()
fetch(
    SimpleNamespace(name="toy", source=source),
    Path(facts["root"]),
    trusted=Path(facts["trusted"]),
)
