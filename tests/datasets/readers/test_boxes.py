import numpy as np

from eosfm.datasets.readers.boxes import boxes_in
from eosfm.datasets.spec import Window

BOXES = np.array([[0, 0, 4, 4, 1], [8, 8, 14, 12, 2], [9, 0, 11, 2, 0]], np.float32)


def test_a_box_is_cut_to_the_window_that_holds_its_middle():
    np.testing.assert_array_equal(boxes_in(BOXES, Window(0, 0, 10, 10)), [[0, 0, 4, 4, 1]])
    np.testing.assert_array_equal(boxes_in(BOXES, Window(10, 10, 10, 10)), [[0, 0, 4, 2, 2]])
    np.testing.assert_array_equal(boxes_in(BOXES, Window(0, 10, 10, 10)), [[0, 0, 1, 2, 0]])


def test_no_box_is_an_empty_table():
    found = boxes_in(np.empty((0, 5)), Window(0, 0, 10, 10))
    assert found.shape == (0, 5) and found.dtype == np.float32
