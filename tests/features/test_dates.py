"""Dates: which are used, and the day of each."""

import numpy as np
import pytest

from eosfm.features.dates import days_of, pick_dates


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [(12, 3, (2, 6, 10)), (4, 4, (0, 1, 2, 3)), (3, 9, (0, 1, 2)), (5, None, (0, 1, 2, 3, 4)),
     (61, 6, (5, 15, 25, 35, 45, 55)), (7, 1, (3,))],
)  # fmt: skip
def test_dates_are_sampled_evenly(stored, wanted, expected):
    assert pick_dates(stored, wanted) == expected


def test_days_count_from_the_first_year_and_are_unknown_without_dates():
    days = days_of([("2019-12-31", "2020-01-01", "2020-03"), ()], [0, 1, 2], 3)
    assert days[0].tolist() == [364, 365, 425]
    assert np.isnan(days[1]).all()


def test_a_date_without_an_image_has_no_day():
    days = days_of([("2020-03-01", "", "2020-03-03")], [0, 1, 2], 3)
    assert days[0, [0, 2]].tolist() == [60, 62] and np.isnan(days[0, 1])
