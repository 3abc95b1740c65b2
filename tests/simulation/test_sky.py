"""Sun, air and clouds over a scene."""

import numpy as np
import pytest

from eosfm.core.bands import S2_BANDS, band
from eosfm.core.errors import EosfmError
from eosfm.simulation import clouds, draw_landscape, observe
from eosfm.simulation.sky import OVERPASS, REGIONS, Sky, draw_sky, sun

CENTRES = np.array([band(name).wavelength for name in S2_BANDS])
SURFACE_BANDS = tuple(name for name in S2_BANDS if name != "B10")


def degrees(doy, latitude, hour=10.5):
    return np.rad2deg(sun(doy, latitude, hour))


def test_the_sun_stands_where_the_morning_orbit_finds_it():
    summer, winter = degrees(172, 45), degrees(355, 45)
    assert summer == pytest.approx([61.7, 132], abs=1)
    assert winter == pytest.approx([18.5, 158], abs=1)
    assert degrees(81, 50, hour=12) == pytest.approx([40, 180], abs=1.5)
    # Half a year later the southern hemisphere sees the same sun in the north.
    height, azimuth = degrees(172 + 182.5, -45)
    assert (height, 180 - azimuth) == pytest.approx(summer, abs=1)


def test_a_region_has_its_sun_and_its_air():
    drawn = {
        name: [draw_sky(np.random.default_rng(k), 40 + 8 * k, name) for k in range(40)]
        for name in REGIONS
    }
    azimuths = np.rad2deg([sky.azimuth for sky in drawn["temperate"]])
    assert azimuths.min() > 100 and azimuths.max() < 170 and 125 < np.median(azimuths) < 150
    assert np.median(np.rad2deg([sky.azimuth for sky in drawn["southern"]])) < 90
    depth, exponent, vapour = (
        {name: np.mean([getattr(sky, part) for sky in skies]) for name, skies in drawn.items()}
        for part in ("depth", "exponent", "vapour")
    )
    assert depth["east asia"] > 2 * depth["temperate"] and exponent["sahel"] < 0.8
    assert vapour["tropics"] > 2 * vapour["boreal"]
    with pytest.raises(EosfmError, match="did you mean 'sahel'"):
        draw_sky(np.random.default_rng(0), 100, "sahell")


SKY = Sky(np.deg2rad(45), np.deg2rad(150), depth=0.15, exponent=1.3, vapour=2.0)


def test_air_is_blue_and_moist_air_hides_the_ground_at_1375_nm():
    molecules, aerosol = SKY.path(CENTRES)
    assert molecules[0] == pytest.approx(0.095, abs=0.01)
    assert molecules[0] / molecules[3] == pytest.approx((442.7 / 664.6) ** -4, rel=0.1)
    assert (np.diff(aerosol) < 0).all() and SKY.through(CENTRES)[0] < SKY.through(CENTRES)[-1] < 1
    cirrus = S2_BANDS.index("B10")
    assert SKY.dried(CENTRES)[cirrus] < 0.01 < 0.4 < SKY.dried(CENTRES, above=10)[cirrus]
    assert SKY.dried(CENTRES)[S2_BANDS.index("B08")] == 1


@pytest.mark.parametrize(("high", "least", "most"), [(0, 0, 300), (1, 800, 8000)])
def test_only_high_clouds_are_seen_at_1375_nm(monkeypatch, high, least, most):
    monkeypatch.setattr(clouds, "CIRRUS", high)
    land = draw_landscape((16,), (64, 64), theme="forest")
    seen = [observe(land, (k,), ("B02", "B10"), cloud=0.4) for k in range(6)]
    blue, cirrus = (np.mean([one.image[c][one.cloud].mean() for one in seen]) for c in (0, 1))
    assert blue > 2000 and least < cirrus < most


def test_shadows_fall_away_from_the_sun_by_the_height_of_the_cloud():
    for seed, sky in enumerate((SKY, Sky(np.deg2rad(60), np.deg2rad(40), 0.1, 1.3, 2.0))):
        rng = np.random.default_rng(seed)
        over = clouds.draw_clouds(rng, (200, 240), 30.0, sky, 0.3)
        reach = 1000 * over.height / np.tan(sky.height) / 30
        if over.height > 5:
            continue
        down, right = round(reach * np.cos(sky.azimuth)), round(-reach * np.sin(sky.azimuth))
        assert right < 0 and (down < 0) == (seed == 0)  # the sun stands east, first south
        shade = over.shade[max(down, 0) : 200 + min(down, 0), : 240 + right]
        cloud = over.opacity[max(-down, 0) : 200 + min(-down, 0), -right:]
        assert np.array_equal(shade, cloud) and cloud.max() > 0.9
        assert over.mask.mean() == pytest.approx(0.3, abs=0.01)


def test_a_shadow_darkens_the_ground_and_leaves_it_the_light_of_the_sky():
    land = draw_landscape((3,), (96, 96), gsd=30, theme="grassland")
    bands = ("B01", "B8A")
    lit, shaded = (observe(land, (2,), bands, cloud=share).image for share in (0.001, 0.4))
    ratio = (shaded / lit).min(axis=(1, 2))
    assert 0.2 < ratio[1] < 0.5 and ratio[0] > ratio[1] + 0.2


def test_surface_products_are_rid_of_the_air_up_to_residuals():
    land = draw_landscape((15,), (48, 48), theme="conifer")
    blue = ("B01", "B02")
    toa, rhorc, surface = (
        np.array([observe(land, (k,), blue, product=name).image.mean((1, 2)) for k in range(30)])
        for name in ("toa", "rhorc", "surface")
    )
    assert toa.mean(axis=0)[0] > rhorc.mean(axis=0)[0] + 500 > surface.mean(axis=0)[0] + 500
    assert surface.mean(axis=0) == pytest.approx([240, 270], abs=80)  # the spectrum of conifers
    assert surface.std(axis=0)[0] > 20  # the aerosol is not known exactly
    observe(land, (1,), SURFACE_BANDS, product="surface")
    with pytest.raises(EosfmError, match="B10 sees no ground"):
        observe(land, (1,), S2_BANDS, product="surface")


def test_the_hours_of_satellites_are_mornings():
    assert 10 < OVERPASS[0] < OVERPASS[1] < 11


def test_clouds_absorb_in_the_shortwave_infrared_and_ice_more():
    flat = np.zeros((8, 8), np.float32)
    low, high = (clouds.Clouds(top, flat, flat, flat > 0, flat) for top in (1.5, 10.0))
    wavelengths = np.array([490.0, 865.0, 1610.0, 2190.0])
    drops, ice = (layer.colour(wavelengths) for layer in (low, high))
    assert (drops[:2] == 1).all() and (ice[:2] == 1).all()
    assert 0.5 < drops[3] < drops[2] < 1 and ice[2] < drops[2] and ice[3] < drops[3]
