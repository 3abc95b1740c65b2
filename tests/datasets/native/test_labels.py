"""Masks of colours, and boxes by window."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from shapely import box as rectangle
from shapely.affinity import affine_transform

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.labels import PIXELS, boxes_in, draw_polygons, read_colors
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_png

BOXES = np.array([[0, 0, 4, 4, 1], [8, 8, 14, 12, 2], [9, 0, 11, 2, 0]], np.float32)
SIZE = (20, 30)


def test_colours_near_a_corner_are_its_class(tmp_path: Path):
    colors = np.array([(255, 0, 0), (240, 10, 9), (0, 0, 0)], np.uint8)
    write_png(tmp_path / "mask.png", np.broadcast_to(colors.T[:, None], (3, 2, 3)))
    read = partial(read_colors, {(255, 0, 0): 3, (0, 0, 0): 255})
    size, window = (2, 3), Window(0, 0, 2, 3)
    assert read(20, tmp_path / "mask.png", size, window).tolist() == [[3, 3, 255]] * 2
    with pytest.raises(EosfmError, match=r"colour \(240, 10, 9\) at row 0, column 1"):
        read(14, tmp_path / "mask.png", size, window)


@pytest.mark.parametrize("box", [(60, 60, 20, 20), (0, 0, 5, np.nan), (3, 5, 4, 2)])
def test_boxes_of_another_form_are_refused(box: tuple[float, ...]):
    boxes = np.array([*BOXES, (*box, 1)], np.float32)
    with pytest.raises(EosfmError, match=r"a box of .*; expected x_min, .* \(COCO gives width"):
        boxes_in(boxes, SIZE, Window(0, 0, 10, 10))


@pytest.mark.parametrize("box", [(60, 3, 70, 9), (3, 60, 9, 70), (-9, 3, -2, 9), (3, -9, 9, -2)])
def test_boxes_beside_the_image_are_refused(box: tuple[float, ...]):
    """Labels for images of twice the size would be lost in part, the others be in wrong places."""
    boxes = np.array([*BOXES, (*box, 1)], np.float32)
    with pytest.raises(EosfmError, match="in an image of 30 columns and 20 rows; expected pixels"):
        boxes_in(boxes, SIZE, Window(0, 0, 10, 10))


def test_a_box_is_cut_to_the_window_that_holds_its_middle():
    cut = {(0, 0): [0, 0, 4, 4, 1], (10, 10): [0, 0, 4, 2, 2], (0, 10): [0, 0, 1, 2, 0]}
    for corner, box in cut.items():
        found = boxes_in(BOXES, SIZE, Window(*corner, 10, 10))
        np.testing.assert_array_equal(found, [box])


def test_no_box_is_an_empty_table():
    found = boxes_in(np.empty((0, 5)), SIZE, Window(0, 0, 10, 10))
    assert found.shape == (0, 5) and found.dtype == np.float32


@pytest.mark.parametrize("transform", [PIXELS, (10.0, 0.0, 100.0, 0.0, -10.0, 500.0)])
def test_polygons_are_drawn_by_window_later_ones_over_earlier(transform: tuple[float, ...]):
    a, b, c, d, e, f = transform
    polygons = [
        affine_transform(one, (a, b, d, e, c, f))
        for one in (rectangle(0, 0, 6, 4), rectangle(3, 2, 9, 8))
    ]
    window = Window(1, 2, 4, 5)
    drawn = draw_polygons(polygons, [1, 2], window, Path("a.json"), transform)
    assert drawn.tolist() == [[1, 1, 1, 1, 0], [1, 2, 2, 2, 2], [1, 2, 2, 2, 2], [0, 2, 2, 2, 2]]
    assert drawn.dtype == np.uint8
    assert not draw_polygons([], [], window, Path("a.json"), transform).any()
    for code in (0, 1.5, 301):
        with pytest.raises(EosfmError, match=f"of value {code}; expected whole numbers from 1 to"):
            draw_polygons(polygons, [1, code], window, Path("a.json"), transform)


def test_polygons_of_another_reference_system_are_refused():
    """GeoJSON is in degrees: in an image in metres, nothing of it would be drawn."""
    degrees, metres = rectangle(9.0, 45.1, 9.01, 45.15), rectangle(5e5, 4999e3, 501e3, 5e6)
    utm, lonlat = (10.0, 0, 5e5, 0, -10.0, 5e6), (1e-4, 0, 9.0, 0, -1e-4, 45.15)
    window = Window(0, 0, 20, 30)
    for polygon, transform in ((degrees, utm), (metres, lonlat)):
        with pytest.raises(EosfmError, match=r"a\.json has polygons from .*; expected both in one"):
            draw_polygons([polygon], [1], window, Path("a.json"), transform)
    for polygon, transform in ((metres, utm), (degrees, lonlat)):
        assert draw_polygons([polygon], [1], window, Path("a.json"), transform).any()
    beside = Window(1000, 0, 20, 30)  # in pixels, far from the polygon
    assert not draw_polygons([degrees], [1], beside, Path("a.json")).any()
