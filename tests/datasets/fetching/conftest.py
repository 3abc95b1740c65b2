"""What the tests of fetching share."""

import pytest

from eosfm.datasets.native import contents


@pytest.fixture(autouse=True)
def fine_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file systems that tests run on tell changes a few milliseconds apart."""
    monkeypatch.setattr(contents, "CLOCK_TICK", 0.02)
