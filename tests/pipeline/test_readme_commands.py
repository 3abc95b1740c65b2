"""`make mini`, then `make test`, on a machine whose numbers differ in their last digits."""

import json
import os
import shutil
import subprocess
import sys

from .conftest import ROOT

READ_RESULTS = [
    "tests/test_readme.py",
    "tests/test_docs.py",
    "-k",
    "readme or links or paths or keys",
]
"""The tests that look at what a run writes into the working tree: links to it, names of metrics.

None of them takes a fixture of a conftest, which loads torch.
"""


def test_a_run_of_ones_own_fails_no_test(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    metrics = tmp_path / "metrics.json"
    own = {key: value * 1.01 + 0.001 for key, value in json.loads(metrics.read_text()).items()}
    metrics.write_text(json.dumps(own))
    (tmp_path / "results" / "report.md").write_text("# Results\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run([*git, "add", "--all"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-qm", "results of my own"], cwd=tmp_path, check=True)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest"]
    done = subprocess.run(
        [*words, *READ_RESULTS], cwd=tmp_path, text=True, capture_output=True,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # of no use here
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
