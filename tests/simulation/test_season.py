"""Fields sown anew and seen through a year."""

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.simulation import CROPS, cover_mask, draw_landscape
from eosfm.simulation.season import Crop, sow

EARLY, LATE = Crop("cereal", 0, 0.6), Crop("cereal", 60, 0.4)


@pytest.fixture(scope="module")
def season():
    land = draw_landscape((3, "season"), (96, 96), 10, "cropland", doy=160)
    return land, sow(land, (3, "season"), (EARLY, LATE))


def test_every_arable_field_bears_one_crop(season):
    land, sown = season
    arable = cover_mask(land.cover, *CROPS, "bare_field") & (land.parcel > 0)
    assert arable.mean() > 0.3
    np.testing.assert_array_equal(sown.crop >= 0, arable)
    assert cover_mask(sown.land.cover[arable], "cereal").all()
    np.testing.assert_array_equal(sown.land.cover[~arable], land.cover[~arable])
    for field in np.unique(land.parcel[arable]):
        assert len(np.unique(sown.crop[arable & (land.parcel == field)])) == 1
    assert set(np.unique(sown.crop[arable])) == {0, 1}


def test_a_delayed_crop_is_green_later(season):
    _, sown = season
    early, late = sown.crop == 0, sown.crop == 1

    def vigour(doy, field):
        return sown.on(doy).vigour[field].mean()

    assert vigour(140, early) > vigour(140, late) + 0.15
    assert vigour(205, late) > vigour(205, early) + 0.15
    winter = sown.on(330)
    assert winter.doy == 330 and winter.vigour.dtype == np.float32
    assert winter.vigour[sown.crop >= 0].max() < 0.2


def test_the_same_key_sows_the_same(season):
    land, sown = season
    again = sow(land, (3, "season"), (EARLY, LATE))
    np.testing.assert_array_equal(again.on(120).vigour, sown.on(120).vigour)
    assert (sow(land, (4, "season"), (EARLY, LATE)).crop != sown.crop).any()


def test_wild_vegetation_lags(season):
    land = draw_landscape((3, "wild"), (64, 64), 10, "broadleaf", doy=190)
    usual = sow(land, (3,), (EARLY,)).on(110).vigour.mean()
    assert sow(land, (3,), (EARLY,), lag=40).on(150).vigour.mean() == pytest.approx(usual, abs=0.02)


def test_nothing_to_sow(season):
    with pytest.raises(EosfmError, match="no crop"):
        sow(season[0], (1,), ())
