"""Dates: which are used, the day of each, and what stands where one shows nothing."""

import numpy as np
import pytest
import torch

from eosfm.features.dates import days_of, fill_gaps, pick_dates


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


def test_gaps_take_what_the_other_dates_show():
    image = torch.arange(3 * 2 * 4.0).view(3, 2, 2, 2)
    gaps = torch.zeros(image.shape, dtype=torch.bool)
    gaps[1, 0] = True  # a band of one date
    gaps[:, 1, 0, 0] = True  # a pixel of all
    mean = torch.tensor([-5.0, -7.0]).view(2, 1, 1)
    filled = fill_gaps(image.masked_fill(gaps, torch.nan), gaps, mean)
    assert torch.equal(filled[~gaps], image[~gaps])
    assert torch.equal(filled[1, 0], (image[0, 0] + image[2, 0]) / 2)
    assert (filled[:, 1, 0, 0] == -7).all()


def test_of_one_date_gaps_take_the_mean_of_the_band():
    image = torch.tensor([[[[1.0, torch.nan]]]])
    assert fill_gaps(image, image.isnan(), torch.full((1, 1, 1), 9.0)).flatten().tolist() == [1, 9]
