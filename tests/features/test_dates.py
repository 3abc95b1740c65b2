"""Dates: which are used, and the day of each."""

from dataclasses import replace

import numpy as np
import pytest

from eosfm.core.band_groups import BandGroup
from eosfm.features.dates import days_of, pick_dates
from eosfm.features.reading import read_split
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.fixtures.tasks import SIZE, dataset


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


@pytest.fixture
def turns(tmp_path):
    """Of three dates, red and green lack the second one, but for the last row of two pixels of
    tile 1; blue is there on all of them."""
    whole = dataset("series")

    def scenes(root):
        for number, scene in enumerate(whole.reader(root)):
            image = np.array(scene.image(None), np.float32)
            image[1, :2] = np.nan
            if number == 1:
                image[1, :2, -1, 3:5] = 7.0
            yield replace(scene, image=lambda window, image=image: image)

    optical = BandGroup(("red", "green"), "uint8", nodata=0)
    groups = (optical, BandGroup(("blue",), "float32"))
    facts = {"groups": groups, "dtype": "float32", "nodata": float("nan")}
    cut_dataset(
        replace(whole, reader=scenes, **facts), tmp_path, tmp_path / "turns", SIZE, source="root"
    )
    return TileStore(tmp_path / "turns")


@pytest.mark.parametrize(
    ("bands", "gaps"), [("red", 1), ("red green", 1), ("red blue", 0), ("red green blue", 0)]
)
def test_a_date_on_which_none_of_the_task_s_bands_was_measured_has_no_day(
    resolve, turns, bands, gaps
):
    task = replace(resolve("series"), store=turns, bands=tuple(bands.split()), label_fraction=1.0)
    days = read_split(task, "train").days().numpy()
    assert days[1].tolist() == [91, 166, 244]
    assert np.isnan(np.delete(days, 1, 0)).sum(0).tolist() == [0, gaps * (len(days) - 1), 0]


def test_where_no_date_has_the_task_s_bands_all_count(resolve, turns):
    task = replace(resolve("series"), store=turns, bands=("green",), dates=(1, 1))
    assert not np.isnan(read_split(task, "val").days()).any()
