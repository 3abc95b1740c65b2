"""What is refused as no value of a dataset, and what becomes NaN."""

from pathlib import Path

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.values import blank_as_nan, from_reflectance, in_range, whole

FILE = Path("a.tif")


def test_range_lets_nan_through():
    pixels = np.array([np.nan, 0, 3], np.float32)
    assert in_range(pixels, FILE, 0, 3, "up to 3") is pixels
    with pytest.raises(EosfmError, match=r"a\.tif holds the value 3; expected up to 2"):
        in_range(pixels, FILE, 0, 2, "up to 2")


@pytest.mark.parametrize("values", [[0, 1.5], [0, np.nan], [-1, 0], [0, 256]])
def test_whole_numbers_of_a_range_alone(values):
    with pytest.raises(EosfmError, match=r"a\.tif holds .*; expected small numbers"):
        whole(np.array(values), FILE, 0, 255, "small numbers")


def test_whole_numbers_in_another_type():
    found = whole(np.array([0, 255.0]), FILE, 0, 255, "bytes")
    assert found.dtype == np.uint8 and found.tolist() == [0, 255]
    assert whole(np.array([-1, 1]), FILE, -1, 1, "signs", np.int16).dtype == np.int16


def test_blank_in_all_bands_is_nan():
    pixels = np.array([[[[0, 0]], [[0, 5]]]], np.int16)  # (T, C, h, w) = (1, 2, 1, 2)
    found = blank_as_nan(pixels, 0)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[[[np.nan, 0]], [[np.nan, 5]]]])


def test_reflectance_is_multiplied_and_other_units_refused():
    found = from_reflectance(np.array([np.nan, 0.25]), FILE)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [np.nan, 2500])
    with pytest.raises(EosfmError, match="holds the value 2500; expected reflectance"):
        from_reflectance(np.array([2500]), FILE)
