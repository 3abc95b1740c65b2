"""What a C-band radar sees."""

import numpy as np
import pytest

from eosfm.simulation import COVERS, backscatter, draw_landscape, radar


def plain(cover, size=(96, 96), gsd=10.0, vigour=0.0):
    """Flat, even land of one cover."""
    land = draw_landscape((1,), size, gsd, "grassland")
    nothing = np.zeros(size, np.float32)
    return land.change(
        cover=np.full(size, COVERS.index(cover), np.uint8), elevation=nothing, moisture=nothing,
        canopy_height=nothing, building_height=nothing, tone=nothing + 1,
        vigour=nothing + np.float32(vigour),
    )  # fmt: skip


def test_radar_ranges_repetition_and_speckle():
    land = draw_landscape((18,), (64, 64), theme="conifer")
    image = backscatter(land, (1,), ("vv", "vh", "vh"))
    assert image.shape == (3, 64, 64) and image.dtype == np.float32
    assert image.min() >= -40 and image.max() <= 10
    assert np.array_equal(image[1], image[2]) and image[0].mean() > image[1].mean() + 2
    assert image.tobytes() == backscatter(land, (1,), ("vv", "vh", "vh")).tobytes()
    assert np.array_equal(backscatter(land, (1,), ("vh", "vv")), image[[1, 0]])
    assert backscatter(land, (1,), units="dn8").dtype == np.uint8


def test_speckle_is_multiplicative_with_variance_one_over_looks(monkeypatch):
    land = draw_landscape((19,), (128, 128), theme="sea")
    one = 10 ** (backscatter(land, (1,), ("vv",)) / 10)
    looks = radar.LOOKS
    monkeypatch.setattr(radar, "LOOKS", 100_000)
    ratio = one / 10 ** (backscatter(land, (1,), ("vv",)) / 10)
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert ratio.var() == pytest.approx(1 / looks, rel=0.1)


@pytest.mark.parametrize(("gsd", "next_but_one"), [(10.0, 0.12), (40.0, 0.05)])
def test_pixels_finer_than_the_resolution_share_speckle(gsd, next_but_one):
    power = 10 ** (backscatter(plain("grassland", (256, 256), gsd), (3,), ("vv",))[0] / 10)
    lag = [np.corrcoef(power[:, k:].ravel(), power[:, : 256 - k].ravel())[0, 1] for k in (1, 2, 3)]
    assert (0.4 < lag[0] < 0.65) if gsd == 10 else lag[0] < 0.1
    assert lag[1] < next_but_one and abs(lag[2]) < 0.05
    assert power.var() / power.mean() ** 2 == pytest.approx(1 / radar.LOOKS, rel=0.1)


def ramp(land, key, band="vv"):
    columns = backscatter(land, key, (band,))[0].mean(axis=0)
    return columns[-8:].mean() - columns[:8].mean()


def test_a_swath_darkens_over_a_hundred_kilometres_and_not_within_a_tile(monkeypatch):
    monkeypatch.setattr(radar, "LOOKS", 1e6)
    tile, swath = plain("grassland", (64, 256), 10), plain("grassland", (64, 200), 1000)
    assert max(abs(ramp(tile, (k,))) for k in range(8)) < 0.1
    # Near range is bright: northwards (ascending) a right-looking radar flies in the west.
    assert -2.5 < ramp(swath, (1,)) < -1 and 1 < ramp(swath, (1,), "vv_desc") < 2.5
    ocean = plain("ocean", (64, 200), 1000)  # in gusts
    assert np.mean([ramp(ocean, (k,)) for k in range(8)]) < 2 * ramp(swath, (1,))


def level(cover, band, vigour=0.0, moisture=0.0):
    """Mean of several passes in dB."""
    land = plain(cover, vigour=vigour)
    land = land.change(moisture=np.full_like(land.moisture, moisture))
    return np.mean([backscatter(land, (k,), (band,)).mean() for k in range(8)])


def test_flooded_stems_raise_vv_over_the_dry_field_and_vh_hardly():
    dry, stems, open_water, shallow = (
        np.array([level(cover, band, *land) for band in ("vv", "vh")])
        for cover, *land in (
            ("cereal", 0.8), ("flood", 0.8, 1.0), ("flood", 0.0, 1.0), ("flood", 0.0, 0.5),
        )
    )  # fmt: skip
    vv, vh = stems - dry
    assert 2 < vv < 6 and -2 < vh < 2
    vv, vh = stems - open_water
    assert vv > vh + 1 > 4
    soaked = np.array([level("bare_field", band, moisture=1.0) for band in ("vv", "vh")])
    assert open_water[0] < level("bare_field", "vv") - 2
    assert (open_water < shallow).all() and (shallow < soaked).all()
