"""The simulated sea."""

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.mados import BANDS
from eosfm.simulation.ocean import FLOATING, KINDS, WATERS, draw_sea, observe_sea
from eosfm.simulation.optical import look
from eosfm.simulation.recipes.mados import afloat

KEY = (5, "sea")


def test_the_same_key_gives_the_same_sea_and_another_key_another():
    first, again, other = (draw_sea(key, (64, 48)) for key in (KEY, KEY, (6, "sea")))
    np.testing.assert_array_equal(first.kind, again.kind)
    np.testing.assert_array_equal(first.matter, again.matter)
    assert (first.kind != other.kind).any()
    seen = [observe_sea(first, key, ("B02", "B08")) for key in (KEY, KEY, (6, "sea"))]
    np.testing.assert_array_equal(seen[0], seen[1])
    assert (seen[0] != seen[2]).any() and seen[0].dtype == np.uint16
    assert seen[0].shape == (2, 64, 48)


def test_shares_of_a_pixel_never_exceed_it():
    sea = draw_sea(KEY, (128, 128), afloat=FLOATING)
    covered = sea.matter.sum(axis=0)
    assert sea.matter.min() >= 0 and covered.max() <= 1 + 1e-5
    assert sea.turbidity.min() >= 0 and sea.turbidity.max() <= 1 and sea.glint.min() >= 0


def test_everything_floats_somewhere():
    seas = [draw_sea((k,), (128, 128), afloat=afloat(k)) for k in range(8)]
    kinds = np.concatenate([sea.kind.ravel() for sea in seas])
    assert np.unique(kinds).tolist() == list(range(len(KINDS)))
    assert len(KINDS) == len(WATERS) + len(FLOATING)


def test_the_sea_is_empty_but_for_the_few_things_named():
    assert draw_sea(KEY, (128, 128)).matter.max() == 0
    covered = [draw_sea((k,), (240, 240), afloat=("debris",)).matter.sum(axis=0) for k in range(8)]
    assert 0.0001 < np.mean([(share > 0.08).mean() for share in covered]) < 0.01


def test_kinds_look_as_they_should():
    seas = [draw_sea((k,), (128, 128), afloat=afloat(k)) for k in range(12)]
    images = [observe_sea(sea, (k,), BANDS).astype(float) for k, sea in enumerate(seas)]
    kind = np.stack([sea.kind for sea in seas])
    image = np.stack(images, axis=1)
    mean = {name: image[:, kind == KINDS.index(name)].mean(axis=1) for name in KINDS}
    band = {name: place for place, name in enumerate(BANDS)}
    for name in ("sargassum", "algae"):  # vegetation: bright beyond the red edge
        assert mean[name][band["B08"]] > 1.5 * mean["clear"][band["B08"]]
        assert mean[name][band["B08"]] > mean[name][band["B04"]]
    assert mean["sediment"][band["B04"]] > 1.5 * mean["clear"][band["B04"]]
    assert mean["shallow"][band["B03"]] > 1.5 * mean["clear"][band["B03"]]
    assert mean["ship"][band["B11"]] > mean["foam"][band["B11"]]  # water absorbs, steel does not


def test_radar_bands_are_refused():
    with pytest.raises(EosfmError, match="vv is not optical"):
        observe_sea(draw_sea(KEY, (32, 32)), KEY, ("B02", "vv"))


def test_look_keeps_the_order_of_brightness():
    surface = np.stack([np.full((20, 20), 0.1), np.full((20, 20), 0.4)]).astype(np.float32)
    dark, bright = look(surface, KEY, ("B04", "B08"))
    assert bright.mean() > 2 * dark.mean()
    assert 500 < dark.mean() < 2000 and dark.std() > 0
