"""Statistics of the training split: by hand, without gaps, and without cancelling."""

import numpy as np
import pytest

from eosfm.core.bands import UNITS
from eosfm.core.errors import EosfmError
from eosfm.prediction.plausible import RANGES
from eosfm.tiles.statistics import PLAUSIBLE, check_units
from tests.tiles.conftest import draw, draw_mask, make_scene, make_store


def test_statistics_by_hand(tmp_path):
    """Four pixels in red: 2 and 4 on one tile, 6 and nodata on the next; val does not count."""
    image = np.array([[[[2, 4, 6, 0]], [[1, 2, 3, 0]], [[0, 5, 5, 0]]]], np.uint16)
    val = draw(9, 1, 4)
    scenes = [
        make_scene("a", "train", image, draw_mask(0, 1, 4)),
        make_scene("b", "val", val, draw_mask(1, 1, 4)),
    ]
    store = make_store(tmp_path, scenes, 2, nodata=0)
    assert store.mean == pytest.approx({"red": 4.0, "green": 2.0, "blue": 10 / 3})
    assert store.std["red"] == pytest.approx(np.sqrt(8 / 3))
    assert store.std["blue"] == pytest.approx(np.std([0, 5, 5]))  # one zero is a measurement
    assert store.valid == pytest.approx({"red": 0.75, "green": 0.75, "blue": 0.75})
    assert store.split("train").table.valid.tolist() == [1.0, 0.5]


def test_statistics_leave_nan_out_by_band(tmp_path):
    image = draw(0, 8, 8).astype(np.float32)
    image[0, 0, :4] = np.nan
    image[0, :, 7, 7] = np.nan
    scenes = [make_scene("a", "train", image, draw_mask(0, 8, 8))]
    store = make_store(tmp_path, scenes, 8, dtype="float32")
    for position, band in enumerate(store.bands):
        values = image[0, position].astype(np.float64)
        assert store.mean[band] == pytest.approx(np.nanmean(values), rel=1e-12)
        assert store.std[band] == pytest.approx(np.nanstd(values), rel=1e-12)
    assert store.valid["red"] == 31 / 64 and store.valid["blue"] == 63 / 64


def test_statistics_do_not_cancel(tmp_path):
    """A small variance on a large mean, over many chunks and tiles."""
    image = (60_000 + draw(0, 300, 300) % 3).astype(np.uint16)
    store = make_store(tmp_path, [make_scene("a", "train", image, draw_mask(0, 300, 300))], 200)
    expected = image.astype(np.float64).std(axis=(0, 2, 3))
    assert list(store.std.values()) == pytest.approx(expected.tolist(), rel=1e-9)


@pytest.mark.parametrize(
    ("unit", "mean", "std"),
    [("reflectance_1e4", 0.2, 0.1), ("reflectance_1e4", 12_000, 3_000), ("dn8", 900, 300),
     ("dn8", -1, 30), ("dn16", 0.5, 0.2), ("db", 40, 9), ("db", 0.08, 0.05), ("m", -800, 10)],
)  # fmt: skip
def test_pixels_of_another_unit_than_the_declared_one_are_refused(unit, mean, std):
    bands, units = ("nir", "red", "vv"), ("dn8", "dn8", unit)
    with pytest.raises(EosfmError, match="toy: band vv has mean"):
        check_units("toy", bands, units, {"red": 3.0, "vv": mean}, {"red": 1.0, "vv": std})
    check_units("toy", bands, units, {"red": 3.0}, {"red": 1.0})


def test_each_unit_has_its_ranges():
    """docs/your-dataset.md says where a new unit needs a line."""
    assert set(PLAUSIBLE) == set(RANGES) == set(UNITS)
