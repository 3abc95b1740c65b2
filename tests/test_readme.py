import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_it_fits_one_screen():
    assert len(README.splitlines()) <= 65


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_files_named_in_code_exist():
    for path in re.findall(r"`(eosfm/[\w/]+\.py|params\.yaml|dvc\.lock|metrics\.json)`", README):
        assert (ROOT / path).exists(), path


def test_both_commands_are_targets():
    for target in ("mini", "test"):
        assert f"make {target}" in README
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
