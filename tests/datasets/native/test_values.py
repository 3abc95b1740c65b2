"""What is refused as no value of a dataset, and what becomes NaN."""

from pathlib import Path

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.values import (
    blank_as_nan,
    codes,
    from_reflectance,
    in_range,
    numbers,
    presence,
    whole,
)

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


def test_a_range_that_a_type_does_not_hold_is_told_at_once():
    with pytest.raises(EosfmError, match="uint8 does not hold whole numbers of 0 to 300; give"):
        numbers(0, 300, "0 to 300")
    assert numbers(0, 300, "0 to 300", np.uint16)(np.array([300]), Path("a.tif")) == [300]


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


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_codes_become_classes_whatever_their_type(dtype):
    mask = np.random.default_rng(0).choice([0, 64, 127, 255], (1, 20, 30)).astype(dtype)
    found = codes((0, 127, 64), ignore=255)(mask, FILE)
    assert found.dtype == np.uint8
    for code, index in {0: 0, 127: 1, 64: 2, 255: 255}.items():
        np.testing.assert_array_equal(found == index, mask == code)


def test_what_is_ignored_is_no_class():
    with pytest.raises(EosfmError, match=r"ignore is 0, which is also .* the class of value 1;"):
        codes((1, 2, 3), ignore=0)
    codes((0, 1, 2), ignore=0)


@pytest.mark.parametrize(
    ("values", "ignore", "told"),
    [((0, 1, 300), None, "300 of a mask; .*; map others"), ((0, 1), -1, "value -1 of a mask"),
     ((0, 5, 5), None, r"are \[0, 5, 5\]; expected each once")],
)  # fmt: skip
def test_codes_are_of_eight_bits_and_each_of_one_class(values, ignore, told):
    with pytest.raises(EosfmError, match=told):
        codes(values, ignore)


@pytest.mark.parametrize("value", [-1, 5, 1.5, 255, 256, 300])
def test_a_value_of_no_class_is_named(value):
    mask = np.zeros((1, 4, 5), np.float32)
    assert not codes(range(5))(mask, FILE).any()
    mask[0, 2, 3] = value
    with pytest.raises(EosfmError, match=rf"a\.tif holds the value {value}.*; expected 0 to 4"):
        codes(range(5))(mask, FILE)
    with pytest.raises(EosfmError, match="expected 0, 64; fetch"):
        codes((0, 64))(mask, FILE)


def test_presence_is_whatever_is_above_zero():
    found = presence(np.array([0, 1, 255], np.uint8), FILE)
    assert found.dtype == np.uint8 and found.tolist() == [0, 1, 1]
