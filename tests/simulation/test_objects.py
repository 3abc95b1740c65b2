"""Objects drawn onto a landscape."""

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.simulation import draw_landscape
from eosfm.simulation.objects import OBJECTS, place_objects

GSD = {"airport": 25.0, "bridge": 4.0, "stadium": 6.0, "harbor": 5.0, "groundtrackfield": 4.0,
       "baseballfield": 4.0, "ship": 3.0, "airplane": 2.0, "storagetank": 1.5}  # fmt: skip


def scene(name, number=0, theme=None):
    theme = theme or ("sea" if name in ("harbor", "ship") else "grassland")
    return draw_landscape((number, "scene"), (96, 96), GSD.get(name, 0.7), theme)


@pytest.mark.parametrize("name", OBJECTS)
def test_boxes_hold_what_was_drawn(name):
    drawn = 0
    for number in range(4):
        land = scene(name, number)
        after, boxes = place_objects(land, (number,), name)
        drawn += len(boxes)
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= 96 and 0 <= top < bottom <= 96
            inside = (slice(top, bottom), slice(left, right))
            assert (after.tone[inside] != land.tone[inside]).any()
    assert drawn >= 2


@pytest.mark.parametrize("name", ["tenniscourt", "ship", "stadium", "groundtrackfield"])
def test_nothing_changes_beyond_the_boxes(name):
    land = scene(name)
    after, boxes = place_objects(land, (1,), name)
    outside = np.ones(land.size, bool)
    for left, top, right, bottom in boxes:
        outside[top:bottom, left:right] = False
        inside = (after.tone != land.tone)[top:bottom, left:right]
        # The box is tight: something was drawn along each of its sides.
        assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))
    np.testing.assert_array_equal(after.cover[outside], land.cover[outside])
    np.testing.assert_array_equal(after.tone[outside], land.tone[outside])


def test_the_same_key_draws_the_same():
    land = scene("vehicle")
    before = land.cover.copy()
    first, second, other = (place_objects(land, (key,), "vehicle") for key in (1, 1, 2))
    assert first[1] == second[1] != other[1]
    np.testing.assert_array_equal(first[0].cover, second[0].cover)
    np.testing.assert_array_equal(land.cover, before)


def test_ships_need_water_and_houses_none():
    assert place_objects(scene("ship", theme="grassland"), (0,), "ship")[1] == []
    assert place_objects(scene("stadium", theme="sea"), (0,), "stadium")[1] == []


def test_unknown_names_are_refused():
    with pytest.raises(EosfmError, match="unknown object 'shipp'; did you mean 'ship'"):
        place_objects(scene("ship"), (0,), "shipp")


def test_nothing_is_placed_between_the_pixels():
    """Over sea no vehicle has room, not even one that holds no pixel's middle."""
    for number in (1, 8, 10):
        land = draw_landscape((number, "scene"), (24, 24), 4.0, "sea")
        assert place_objects(land, (number,), "vehicle")[1] == []


@pytest.mark.parametrize("name", ["airplane", "storagetank"])
def test_what_is_smaller_than_the_pixels_is_not_there(name):
    """It may lie between the middles of pixels of 3 m and more."""
    for gsd in (3.0, 5.0, 10.0):
        for number in range(10):
            land = draw_landscape((number, "scene"), (32, 32), gsd, "grassland")
            for x_min, y_min, x_max, y_max in place_objects(land, (number,), name)[1]:
                assert x_max > x_min and y_max > y_min
