"""`make mini`, then `make test`, on a machine whose numbers differ in their last digits."""

import json
import sys

from .conftest import Project, copy_files

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
    project = Project(tmp_path / "project")
    copy_files(project.path)
    metrics = project.path / "metrics.json"
    own = {key: value * 1.01 + 0.001 for key, value in json.loads(metrics.read_text()).items()}
    metrics.write_text(json.dumps(own))
    (project.path / "results" / "report.md").write_text("# Results\n")
    project.run("git", "init", "-q")
    project.commit("results of my own")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest"]
    # Plugins are of no use here.
    project.run(*words, *READ_RESULTS, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
