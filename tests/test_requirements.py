"""The lock, and the hashes beside it, name the same packages."""

import re
from importlib.metadata import metadata

from packaging.specifiers import SpecifierSet

from eosfm.core.closure import ROOT


def versions(lines: list[str]) -> dict[str, str]:
    """Version by name, as package indexes compare names."""
    pairs = (line.split(" ")[0].split("==") for line in lines)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def test_hashes_are_those_of_the_lock():
    locked = (ROOT / "requirements.lock").read_text().splitlines()
    hashed = (ROOT / "requirements.sha256").read_text().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in locked)
    packages = [line for line in hashed if "==" in line]
    assert versions(packages) == versions(locked)
    hashes = [line for line in hashed if line not in packages]
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)


def test_each_package_takes_the_python_of_debian_12():
    for name in versions((ROOT / "requirements.lock").read_text().splitlines()):
        needed = SpecifierSet(metadata(name).get("Requires-Python", ""))
        assert "3.11.2" in needed, f"{name} needs Python {needed}"


def test_each_package_has_a_hash():
    text = (ROOT / "requirements.sha256").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all(entry.count("--hash=sha256:") >= 1 for entry in entries)
    assert len(entries) == len((ROOT / "requirements.lock").read_text().splitlines())
