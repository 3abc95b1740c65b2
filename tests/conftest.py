"""Fixtures that every room's tests share."""

import os
from pathlib import Path

import pytest

pytest_plugins = [
    "tests.fixtures.artifacts",
    "tests.fixtures.ensembles",
    "tests.fixtures.native",
    "tests.fixtures.server",
    "tests.fixtures.tasks",
]


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of small real samples; the test is skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "samples"
    folder = Path(os.environ.get("EOSFM_SAMPLES", beside))
    if not folder.is_dir():
        pytest.skip(f"no real samples at {folder}")
    return folder
