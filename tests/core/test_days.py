"""Days as text."""

import pytest

from eosfm.core.days import is_day


@pytest.mark.parametrize(
    ("text", "fits"),
    [("2020-05-01", True), ("2020-02-29", True), ("2021-02-29", False), ("20200501", False),
     ("2020-W18-5", False), ("today", False), ("NaT", False), ("May", False), ("", False)],
)  # fmt: skip
def test_an_iso_date_and_nothing_else(text, fits):
    assert is_day(text) == fits
