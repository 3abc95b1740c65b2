"""Which acquisitions of a time series are taken, and array files read by window."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.series import evenly, nearest, parse_dates, read_array

DAY = date(2018, 9, 24)


def test_evenly_by_hand():
    assert evenly(11, 6) == [0, 2, 4, 6, 8, 10]
    assert evenly(8, 6) == [0, 1, 2, 4, 5, 7]
    assert evenly(6, 6) == [0, 1, 2, 3, 4, 5]
    assert evenly(2, 6) == [0, 1]
    assert evenly(0, 6) == []


@given(st.integers(1, 200), st.integers(1, 20))
def test_evenly_takes_each_once_from_first_to_last(count, wanted):
    places = evenly(count, wanted)
    assert len(places) == min(count, wanted) and places == sorted(set(places))
    assert places[0] == 0 and (wanted == 1 or places[-1] == count - 1)
    steps = np.diff(places)
    assert not len(steps) or steps.max() - steps.min() <= 1


def test_nearest_by_hand_in_any_order():
    dates = [DAY + timedelta(days) for days in (30, 0, 12)]
    wanted = [DAY + timedelta(days) for days in (-5, 5, 6, 7, 22, 400)]
    assert nearest(dates, wanted) == [1, 1, 1, 2, 0, 0]


def test_dates_in_either_notation():
    assert parse_dates([20180924, "2018-09-25"], Path("x")) == [DAY, DAY + timedelta(1)]
    with pytest.raises(EosfmError, match="is none"):
        parse_dates([20181324], Path("x"))
    with pytest.raises(EosfmError, match="gives no date"):
        parse_dates([], Path("x"))


def test_arrays_of_both_kinds(tmp_path):
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values=values)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy", (2, None, 4)), values)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", (2, 3, 4), "values"), values)


@pytest.mark.parametrize(
    ("name", "shape", "member", "message"),
    [
        ("a.npy", (2, 3), None, r"of shape \(2, 3, 4\); expected \(2, 3\)"),
        ("a.npy", (2, 9, None), None, r"expected \(2, 9, any\)"),
        ("a.npy", (2, 3, 4), "values", "no archive"),
        ("a.npz", (2, 3, 4), None, "an archive"),
        ("a.npz", (2, 3, 4), "other", "other"),
        ("short.npy", (2, 3, 4), None, "damaged"),
        ("short.npz", (2, 3, 4), "values", "damaged"),
        ("text.npy", (2, 3, 4), None, "damaged"),
        ("none.npy", (2, 3, 4), None, "No such file"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, name, shape, member, message):
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", values=values)
    for ending in ("npy", "npz"):
        whole = (tmp_path / f"a.{ending}").read_bytes()
        (tmp_path / f"short.{ending}").write_bytes(whole[:-20])
    (tmp_path / "text.npy").write_text("<html>not found</html>")
    with pytest.raises(EosfmError, match=message) as error:
        read_array(tmp_path / name, shape, member)
    assert name in str(error.value) and "\n" not in str(error.value)
