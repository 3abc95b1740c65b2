"""The simulated Earth keeps its promises: same key same bytes, and physics that holds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eosfm.core.bands import S2_BANDS
from eosfm.core.errors import EosfmError
from eosfm.simulation import (
    COVERS,
    CROPS,
    EVENTS,
    ROOFS,
    THEMES,
    VEGETATION,
    WATER,
    backscatter,
    cover_mask,
    draw_landscape,
    evolve,
    legend,
    observe,
    resampled,
)
from eosfm.simulation.covers import spectra
from eosfm.simulation.events import NEAR
from eosfm.simulation.grid import average, shifted, spread
from eosfm.simulation.noise import fractal, generator
from eosfm.simulation.sky import REGIONS

SIZE = (48, 40)
ARRAYS = (
    "cover", "elevation", "canopy_height", "building_height", "moisture", "vigour", "tone",
    "parcel", "damage",
)  # fmt: skip


def same(first, second) -> bool:
    return all(getattr(first, n).tobytes() == getattr(second, n).tobytes() for n in ARRAYS)


@pytest.mark.parametrize("theme", THEMES)
def test_landscape_is_valid_and_repeatable(theme):
    land = draw_landscape((1, "a"), SIZE, theme=theme)
    assert same(land, draw_landscape((1, "a"), SIZE, theme=theme))
    assert not same(land, draw_landscape((2, "a"), SIZE, theme=theme))
    assert all(getattr(land, name).shape == SIZE for name in ARRAYS)
    assert land.cover.dtype == np.uint8 and land.cover.max() < len(COVERS)
    assert land.parcel.dtype == np.int32 and land.parcel.min() >= 0
    for name in ("elevation", "canopy_height", "building_height", "moisture", "vigour", "tone"):
        layer = getattr(land, name)
        assert layer.dtype == np.float32 and np.isfinite(layer).all()
    assert land.canopy_height.min() >= 0 and land.canopy_height.max() <= 48
    assert land.vigour.min() >= 0 and land.vigour.max() <= 1
    assert land.moisture.min() >= 0 and land.moisture.max() <= 1
    assert not land.vigour[~cover_mask(land.cover, *VEGETATION, "flood")].any()
    assert not land.building_height[~cover_mask(land.cover, *ROOFS, "greenhouse")].any()


@pytest.mark.parametrize("gsd", [0.3, 1.2, 3, 10, 30, 60])
def test_every_distance_draws_and_shows_buildings_in_towns(gsd):
    lands = [draw_landscape((3, i), (64, 64), gsd=gsd, theme="city") for i in range(6)]
    assert np.mean([cover_mask(land.cover, *ROOFS) for land in lands]) > 0.1


@pytest.mark.parametrize(
    ("theme", "covers"),
    [
        ("cropland", (*CROPS, "bare_field")), ("forest", ("conifer", "broadleaf", "mixed_forest")),
        ("sea", ("ocean",)), ("grassland", ("grassland", "shrub")),
        ("desert", ("sand", "rock", "bare_soil")),
        ("pasture", ("pasture", "broadleaf")), ("glacier", ("ice", "snow", "rock", "ocean")),
        ("orchard", ("orchard", "vineyard", "olive", *CROPS, "bare_field")),
    ],
)  # fmt: skip
def test_theme_is_mostly_what_its_name_says(theme, covers):
    shares = [cover_mask(draw_landscape((i,), (64, 64), theme=theme).cover, *covers).mean()
              for i in range(4)]  # fmt: skip
    assert np.mean(shares) > 0.7


@pytest.mark.parametrize(
    ("theme", "covers"),
    [("river", ("river",)), ("lake", ("lake",)), ("coast", ("ocean",)), ("highway", ("road",)),
     ("village", ROOFS)],
)  # fmt: skip
def test_theme_holds_what_it_is_named_after(theme, covers):
    shares = [cover_mask(draw_landscape((i,), (64, 64), theme=theme).cover, *covers).mean()
              for i in range(4)]  # fmt: skip
    assert 0.01 < np.mean(shares) < 0.8


def test_keys_tell_types_apart_and_do_not_run_together():
    draws = [generator(key).random() for key in ((1,), ("1",), (1, 1), (11,), ("1", "1"))]
    assert len(set(draws)) == len(draws)
    assert generator((np.int64(7), "a")).random() == generator((7, "a")).random()


@given(st.integers(8, 90), st.integers(8, 90), st.floats(0.5, 200))
@settings(max_examples=25, deadline=None)
def test_noise_has_any_shape(h, w, scale):
    noise = fractal(generator((h, w)), (h, w), scale, octaves=4)
    assert noise.shape == (h, w) and noise.dtype == np.float32 and np.isfinite(noise).all()


def test_noise_is_standardised():
    noise = fractal(generator(("n",)), (256, 256), 12, octaves=3)
    assert abs(noise.mean()) < 0.1 and 0.8 < noise.std() < 1.2


def test_events_are_repeatable_and_leave_the_land_before_alone():
    land = draw_landscape((5,), SIZE, theme="village")
    copies = {name: getattr(land, name).copy() for name in ARRAYS}
    for event in EVENTS:
        assert same(evolve(land, (1,), event), evolve(land, (1,), event))
    assert all(np.array_equal(getattr(land, name), copies[name]) for name in ARRAYS)


def test_flood_covers_low_land_joined_to_water():
    from scipy import ndimage

    land = draw_landscape((6,), (96, 96), theme="river")
    after = evolve(land, (1,), "flood")
    water = cover_mask(land.cover, *WATER)
    flood = cover_mask(after.cover, "flood")
    assert 0.03 < flood.mean() < 0.5
    assert np.array_equal(after.cover != land.cover, flood) and not (flood & water).any()
    assert land.elevation[flood].mean() < land.elevation[~flood & ~water].mean()
    # Water runs on below trees and around houses, where no flood is seen from above. Furrows
    # beyond the shore hold some, most of it close by.
    hidden = (land.canopy_height >= 6) | cover_mask(land.cover, *ROOFS)
    under = flood & (after.moisture > 0.5)
    labels, _ = ndimage.label(under | water | hidden)
    joined = np.isin(labels, np.unique(labels[water]))
    assert (under & joined).sum() > 0.7 * under.sum()
    apart = ndimage.distance_transform_edt(~joined) * land.gsd
    assert np.quantile(apart[flood], 0.95) <= NEAR


def test_water_that_is_seen_is_a_share_of_the_pixel():
    land = draw_landscape((6,), (96, 96), theme="river")
    water = cover_mask(land.cover, *WATER)
    assert np.array_equal(land.open_water(), water)
    after = evolve(land, (1,), "flood")
    flood, seen = cover_mask(after.cover, "flood"), after.open_water()
    assert (seen[water] == 1).all() and not seen[~water & ~flood].any()
    assert seen[flood].min() >= 0 and seen[flood].max() <= 1
    assert (seen[flood] <= after.moisture[flood]).all() and seen[flood].std() > 0.1
    # Little water lets the soil through, which is brighter than water in the infrared.
    bare = after.change(vigour=np.zeros_like(after.vigour))
    deep, shallow = (
        observe(bare.change(moisture=np.where(flood, share, bare.moisture)), (2,), ("B11",)).image
        for share in (np.float32(1), np.float32(0.3))
    )
    assert shallow[0][flood].mean() > 1.3 * deep[0][flood].mean()
    assert np.median(shallow[0][~flood]) == pytest.approx(np.median(deep[0][~flood]), rel=0.01)


def test_construction_adds_whole_buildings_with_numbers_of_their_own():
    land = draw_landscape((7,), (128, 128), gsd=0.8, theme="pasture")
    after = evolve(land, (1,), "construction")
    new = after.cover != land.cover
    assert new.any()
    assert cover_mask(after.cover[new], *ROOFS).all()
    assert not cover_mask(land.cover[new], *ROOFS).any()
    assert not set(np.unique(after.parcel[new])) & set(np.unique(land.parcel))
    assert (after.building_height[new] > 2).all()
    assert np.array_equal(after.tone[~new], land.tone[~new])
    for edge in (new[0], new[-1], new[:, 0], new[:, -1]):
        assert not edge.any()


def test_burn_takes_vegetation_only():
    land = draw_landscape((8,), (64, 64), theme="mixed")
    after = evolve(land, (1,), "burn")
    burned = cover_mask(after.cover, "burned")
    assert burned.any() and np.array_equal(burned, after.cover != land.cover)
    assert cover_mask(land.cover[burned], *VEGETATION).all()
    assert not after.canopy_height[burned].any()


def test_demolition_and_damage_touch_buildings_only():
    land = draw_landscape((9,), (128, 128), gsd=0.6, theme="residential")
    roofs = cover_mask(land.cover, *ROOFS)
    gone = evolve(land, (1,), "demolition")
    removed = gone.cover != land.cover
    assert removed.any() and roofs[removed].all() and (gone.building_height[removed] == 0).all()
    hit = evolve(land, (1,), "damage", strength=2)
    assert set(np.unique(hit.damage)) == {0, 1, 2, 3}
    assert roofs[hit.damage > 0].all()
    assert np.array_equal(hit.cover[hit.damage == 0], land.cover[hit.damage == 0])
    for number in np.unique(land.parcel[roofs]):
        assert len(np.unique(hit.damage[roofs & (land.parcel == number)])) == 1


def test_season_and_snow():
    land = draw_landscape((10,), (64, 64), theme="cropland", doy=160)
    winter = evolve(land, (1,), "season", strength=2)
    assert winter.doy == 340 and np.array_equal(winter.cover, land.cover)
    assert winter.vigour.mean() < 0.5 * land.vigour.mean()
    white = evolve(land, (1,), "snow", strength=3)
    assert cover_mask(white.cover, "snow").mean() > 0.5


def test_observation_dtypes_ranges_and_repeatability():
    land = draw_landscape((11,), SIZE, theme="mixed")
    image, cloud = observe(land, (1,), S2_BANDS)
    assert image.shape == (13, *SIZE) and image.dtype == np.uint16 and image.max() <= 16000
    assert cloud.shape == SIZE and cloud.dtype == bool and not cloud.any()
    assert image.tobytes() == observe(land, (1,), S2_BANDS).image.tobytes()
    assert image.tobytes() != observe(land, (2,), S2_BANDS).image.tobytes()
    photo = observe(land, (1,), ("red", "green", "blue"), units="dn8").image
    assert photo.dtype == np.uint8 and photo.std() > 10 and 30 < photo.mean() < 220


def test_channels_follow_the_names():
    land = draw_landscape((12,), SIZE)
    image = observe(land, (1,), ("B04", "B08", "B11")).image
    swapped = observe(land, (1,), ("B11", "B04", "B08")).image
    assert np.array_equal(image, swapped[[1, 2, 0]])


def test_vegetation_is_bright_in_the_near_infrared_and_water_dark():
    forest = draw_landscape((13,), SIZE, theme="broadleaf", doy=190)
    red, nir = observe(forest, (1,), ("red", "nir")).image.astype(float)
    assert nir.mean() > 2.5 * red.mean()
    for i in range(3):
        sea = draw_landscape((13, i), SIZE, theme="sea")
        blue, swir = observe(sea, (i,), ("blue", "B11")).image.astype(float)
        assert swir.mean() < blue.mean()


def test_a_coarse_pixel_is_the_mean_of_the_fine_ones():
    fine = np.arange(2 * 8 * 12, dtype=np.uint16).reshape(2, 8, 12)
    coarse = average(fine, 4)
    assert coarse.shape == (2, 2, 3)
    assert coarse[1, 1, 2] == fine[1, 4:8, 8:12].mean()
    assert np.array_equal(average(fine, 1), fine)


def test_coarse_bands_stay_where_they_are():
    rows, cols = np.mgrid[:36, :40].astype(np.float32)
    ramp = np.stack([rows + 2 * cols] * 3)
    fine, middle, coarse = resampled(ramp, ("B02", "B05", "B01"))
    assert np.array_equal(fine, ramp[0])
    for image, step in ((middle, 2), (coarse, 6)):
        error = (image - ramp[0])[:, : 40 // step * step]
        assert error.mean() == pytest.approx(0, abs=1e-3)
        assert np.array_equal(
            image[:, :step], np.repeat(image[::step, :1], step, 0).repeat(step, 1)
        )
    counts = resampled(ramp.astype(np.uint16), ("B02", "B05", "B01"))
    assert counts.dtype == np.uint16 and counts.shape == ramp.shape


def test_light_spreads_to_all_sides_alike_and_is_not_lost():
    point = np.zeros((1, 5, 7), np.float32)
    point[0, 2, 3] = 1
    blurred = spread(point, 0.2)
    assert blurred.sum() == pytest.approx(1) and blurred[0, 2, 3] == pytest.approx(0.6**2)
    assert blurred[0, 1, 3] == blurred[0, 3, 3] == blurred[0, 2, 2] == blurred[0, 2, 4] > 0
    assert spread(np.ones((1, 5, 7), np.float32), 0.2) == pytest.approx(1)


def test_a_shifted_image_repeats_its_border():
    image = np.arange(6).reshape(2, 3)
    assert shifted(image, 1, -1).tolist() == [[1, 2, 2], [1, 2, 2]]


def test_haze_lifts_the_blue_most(monkeypatch):
    land = draw_landscape((15,), SIZE, theme="conifer")
    monkeypatch.setitem(REGIONS, "clear", replace(REGIONS["temperate"], depth=0.0))
    monkeypatch.setitem(REGIONS, "hazy", replace(REGIONS["temperate"], depth=0.8))
    clear, hazy = (
        observe(land, (1,), ("B02", "B08"), region=name).image.mean((1, 2))
        for name in ("clear", "hazy")
    )
    assert hazy[0] - clear[0] > 300
    assert (hazy / clear)[0] > 1.4 * (hazy / clear)[1]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_cloud_has_the_share_asked_for_and_is_bright(share):
    land = draw_landscape((16,), (64, 64), theme="forest")
    image, cloud = observe(land, (1,), ("B04",), cloud=share)
    assert abs(cloud.mean() - share) < 0.02
    assert image[0][cloud].mean() > 3 * image[0][~cloud].mean()


def test_tall_things_cast_shadows_away_from_the_sun():
    land = draw_landscape((17,), (60, 60), gsd=1, theme="grassland", doy=260)
    flat = land.change(
        building_height=np.zeros_like(land.tone), canopy_height=np.zeros_like(land.tone),
        elevation=np.zeros_like(land.tone),
    )  # fmt: skip
    tower = np.zeros_like(land.tone)
    tower[28:32, 28:32] = 20
    open_, shaded = (
        observe(each, (4,), ("B04",)).image[0].astype(int)
        for each in (flat, flat.change(building_height=tower))
    )
    dark = shaded < 0.7 * open_
    assert 40 < dark.sum() < 400
    rows = np.argwhere(dark)[:, 0]
    assert rows.mean() < 28  # the sun stands in the south


def test_spectra_meet_their_control_values():
    full, empty = spectra([665, 835])
    conifer, lake = COVERS.index("conifer"), COVERS.index("lake")
    assert full[:, conifer] == pytest.approx([0.024, 0.20])
    assert empty[0, lake] > full[0, lake]


def test_water_is_dark_and_towns_bright_on_average():
    def mean(theme):
        return np.mean(
            [backscatter(draw_landscape((i,), SIZE, theme=theme), (i,)).mean() for i in range(8)]
        )

    assert mean("sea") < mean("cropland") - 4
    assert mean("broadleaf") > mean("grassland") + 2


def test_legend_and_masks():
    cover = np.array([[COVERS.index("lake"), COVERS.index("cereal")]], dtype=np.uint8)
    assert legend(cover, {"lake": 3, "cereal": 1}).tolist() == [[3, 1]]
    assert legend(cover, {"lake": 3}, default=255).tolist() == [[3, 255]]
    assert legend(cover, {"lake": 3}, default=0).dtype == np.uint8
    assert cover_mask(cover, "river", "lake").tolist() == [[True, False]]
    with pytest.raises(EosfmError, match="no class for cereal"):
        legend(cover, {"lake": 3})
    with pytest.raises(EosfmError, match="did you mean 'lake'"):
        legend(cover, {"lakes": 3}, default=0)
    with pytest.raises(EosfmError, match="unknown cover"):
        cover_mask(cover, "cheese")


LAND = draw_landscape((20,), (30, 30))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_landscape((1,), SIZE, theme="rivr"), "did you mean 'river'"),
        (lambda: draw_landscape((1,), (4, 64)), "8 x 8"),
        (lambda: draw_landscape((1,), SIZE, gsd=0), "gsd"),
        (lambda: evolve(LAND, (1,), "floods"), "did you mean 'flood'"),
        (lambda: evolve(LAND, (1,), "flood", strength=-1), "strength"),
        (lambda: observe(LAND, (1,), ("vv",)), "not optical"),
        (lambda: observe(LAND, (1,), ()), "no band"),
        (lambda: observe(LAND, (1,), ("B4",)), "unknown band"),
        (lambda: backscatter(LAND, (1,), ("B04",)), "no radar band"),
        (lambda: backscatter(LAND, (1,), ()), "no band"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(call, words):
    with pytest.raises(EosfmError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_few_narrow_cells_still_reach_across():
    assert draw_landscape((35, "scene"), (24, 24), 4.0, "sea").size == (24, 24)
