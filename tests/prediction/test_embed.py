"""A scene's features as a cube."""

import re

import numpy as np
import pytest
import rasterio
import torch
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.prediction.cut import Cut
from eosfm.prediction.embed import Components, _at, embed
from tests.prediction.conftest import PLACE

SMALL = Cut(window=64, overlap=32, device="cpu")


@pytest.fixture
def run(artifact, tmp_path):
    def call(
        scene, out="features.tif", names=None, dims=4, dtype="float16", spectral=False, cut=SMALL
    ):
        path = tmp_path / out
        line = embed(artifact, scene, path, names, dims, dtype, spectral, cut)
        assert not list(tmp_path.glob(".*"))
        return path, line

    return call


def test_features_are_a_cog_at_a_quarter_of_the_resolution(run, write_scene, mosaic):
    image = np.pad(mosaic[0], ((0, 0), (0, 2), (0, 3)), mode="edge")
    image[:, :16, :16] = 0
    path, line = run(write_scene(image, nodata=0))
    with rasterio.open(path) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.tags(1, ns="IMAGE_STRUCTURE")["NBITS"] == "16"
        assert raster.shape == (25, 41) and raster.count == 4
        assert raster.transform.a == 40 and raster.transform.c == PLACE["transform"].c
        values = raster.read()
    assert np.isnan(values[:, :4, :4]).all() and np.isfinite(values[:, 4:]).all()
    spread = np.nanvar(values, axis=(1, 2))
    assert spread.argmax() == 0  # the first component varies most
    assert "4 components" in line and "2 specialists" in line


def test_eight_bits_hold_what_sixteen_do(run, write_scene, mosaic):
    scene = write_scene(mosaic[0])
    fine, coarse = run(scene)[0], run(scene, out="coarse.tif", dtype="int8")[0]
    with rasterio.open(fine) as first, rasterio.open(coarse) as second:
        expected, found, step = first.read(), second.read(), second.scales[0]
        assert second.dtypes[0] == "int8" and second.nodata == -128
    inside = np.abs(expected) < 127 * step
    assert inside.mean() > 0.99
    assert np.abs(found * step - expected)[inside].max() <= 0.51 * step + 2e-2


def test_bands_stand_beside_the_specialists(run, write_scene, mosaic):
    scene = write_scene(mosaic[0])
    (path, line), (with_bands, more) = run(scene), run(scene, out="bands.tif", spectral=True)
    of, of_more = (
        int(re.search(r"of (\d+) features of 2 specialists", s)[1]) for s in (line, more)
    )
    assert of_more == of + 4 * 2 * 3  # levels, mean and deviation, bands
    with rasterio.open(path) as one, rasterio.open(with_bands) as other:
        assert not np.allclose(one.read(), other.read(), atol=1e-2)


def test_a_second_run_gives_the_same(run, write_scene, mosaic):
    scene = write_scene(mosaic[0])
    first, second = run(scene)[0], run(scene, out="again.tif")[0]
    with rasterio.open(first) as one, rasterio.open(second) as other:
        np.testing.assert_array_equal(one.read(), other.read())


def test_projecting_first_and_enlarging_then_is_the_same_as_the_reverse():
    torch.manual_seed(0)
    levels = [torch.randn(2, c, 16 // s, 24 // s) for c, s in ((3, 1), (5, 2), (7, 4), (9, 8))]
    components = Components(torch.randn(24, 6), torch.randn(6), 1.0, 1.0)
    large = [F.interpolate(x, size=(16, 24), mode="bilinear", align_corners=False) for x in levels]
    whole = torch.cat(large, dim=1)
    expected = torch.einsum("bchw,cd->bdhw", whole, components.directions)
    found = components.project(levels)
    torch.testing.assert_close(found, expected - components.centre[:, None, None])
    cells = torch.tensor([[0, 0], [3, 5], [15, 23], [7, 0]])
    torch.testing.assert_close(
        _at([level[:1] for level in levels], cells), whole[0, :, cells[:, 0], cells[:, 1]].T
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"dims": 0}, "--dims 0; expected 1 to"), ({"dtype": "int4"}, "expected int8 or float16"),
     ({"out": "x.csv"}, "expected a .tif"), ({"dims": 640}, "256 measured cells were found")],
)  # fmt: skip
def test_wrong_options_are_refused(run, write_scene, mosaic, changes, message):
    with pytest.raises(EosfmError, match=message):
        run(write_scene(mosaic[0][:, :64, :64]), **changes)


def test_a_scene_without_names_is_refused(run, write_scene, mosaic):
    with pytest.raises(EosfmError, match="names no band"):
        run(write_scene(mosaic[0].astype(np.float32), descriptions=None))
