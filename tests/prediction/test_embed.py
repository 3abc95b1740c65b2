"""A scene's features as a cube."""

import re
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import rasterio
import torch
from torch.nn import functional as F

from eosfm.core.errors import EosfmError
from eosfm.prediction.components import Basis, Components, at_cells, weighted_levels
from eosfm.prediction.cut import Cut
from eosfm.prediction.embed import embed
from eosfm.prediction.scene import ReadOptions
from tests.fixtures.scenes import PLACE

SMALL = Cut(window=64, overlap=32, device="cpu")
WHOLE = Cut(window=256, device="cpu")


@pytest.fixture
def run(artifact, tmp_path):
    def call(
        scene, out="features.tif", dims=4, dtype="float16", spectral=False, cut=SMALL, shared=None,
        scale=1.0, names=None,
    ):  # fmt: skip
        path = tmp_path / out
        reading = ReadOptions(names, scale)
        line = embed(artifact, scene, path, reading, dims, dtype, spectral, cut, shared)
        assert not list(tmp_path.glob(".*"))
        return path, line

    return call


@pytest.mark.parametrize("dtype", ["int8", "float16"])
def test_features_replace_older_ones_and_no_raster_of_others(run, write_scene, mosaic, dtype):
    scene, other = write_scene(mosaic[0]), write_scene(mosaic[0], name="other.tif")
    with pytest.raises(EosfmError, match="neither predict nor embed wrote it"):
        run(scene, out="other.tif", dtype=dtype)
    with rasterio.open(other) as raster:
        np.testing.assert_array_equal(raster.read(), mosaic[0])
    for _ in range(2):
        run(scene, dtype=dtype)


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


def test_a_collar_of_zeros_is_noted(run, write_scene, mosaic, tmp_path):
    image = mosaic[0].copy()
    image[:, :, :40] = 0
    said = r"about 2\d% of .* are 0 in all bands .*, give --nodata 0, and remove .*area.npz first"
    assert re.search(said, run(write_scene(image), shared=tmp_path / "area.npz")[1])
    assert run(write_scene(image, nodata=0), out="o.tif")[1].endswith("25% without a measurement")


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
        at_cells([level[:1] for level in levels], cells), whole[0, :, cells[:, 0], cells[:, 1]].T
    )


def test_bands_weigh_as_much_as_one_specialist():
    levels = [torch.ones(1, 16 + 4, 2, 2), torch.ones(1, 64 + 4, 1, 1)]
    inputs = [SimpleNamespace(channels=channels) for channels in ((8, 32), (8, 32), (4, 4))]
    backbone = Mock(return_value=levels, inputs=inputs)
    for level in weighted_levels(backbone, torch.zeros(())):
        energy = level.square().sum(dim=1)
        torch.testing.assert_close(level[:, -4:].square().sum(dim=1), energy / 3)


def test_scenes_that_share_components_are_comparable(run, write_scene, mosaic, tmp_path):
    """The bright part of a scene has the features that it has in the whole scene."""
    kept, image = tmp_path / "area.npz", mosaic[0].astype(np.float32)
    image[:, :, :64] *= 0.3
    half = write_scene(
        image[[2, 0, 1], :, 64:], name="half.tif", descriptions=("blue", "red", "green")
    )
    whole, line = run(write_scene(image), shared=kept, cut=WHOLE)
    part, again = run(half, out="part.tif", dims=None, shared=kept, cut=WHOLE)
    alone, _ = run(half, out="alone.tif", cut=WHOLE)
    values, found, own = (rasterio.open(path).read() for path in (whole, part, alone))
    inside = np.s_[:, 4:-4, 12:-8]  # far from the cut, where less is seen around
    apart, far = (np.abs(one - values[:, :, 16:])[inside].mean() for one in (found, own))
    assert apart < 0.01 * values.std() and far > 0.3 * values.std()
    assert line.split(", ")[1] == again.split(", ")[1]  # the variance


def test_a_killed_first_scene_resumes_with_the_components_it_kept(
    run, write_scene, mosaic, tmp_path, monkeypatch
):
    import eosfm.prediction.embed as module

    scene, kept = write_scene(mosaic[0]), tmp_path / "area.npz"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "_write", Mock(side_effect=KeyboardInterrupt))
        run(scene, shared=kept)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_made", lambda *_: pytest.fail("what was made is made again"))
        # All rows were made: there is nothing left to make but the file.
        patch.setattr(module.Rows, "fill", lambda rows, make: None)
        first, _ = run(scene, shared=kept)
    with rasterio.open(first) as one, rasterio.open(run(scene, out="b.tif")[0]) as other:
        np.testing.assert_array_equal(one.read(), other.read())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 1e-3}, "values of other units .*by --scale"),
        ({"dims": 5}, "--dims 5, and .*area.npz has 4"),
        ({"spectral": True}, "fitted without; leave --spectral out"),
    ],
)
def test_what_does_not_fit_the_shared_components_is_refused(
    run, write_scene, mosaic, tmp_path, changes, message
):
    scene, kept = write_scene(mosaic[0].astype(np.float32)), tmp_path / "area.npz"
    run(scene, shared=kept)
    with pytest.raises(EosfmError, match=message):
        run(scene, out="other.tif", shared=kept, **changes)
    assert not (tmp_path / "other.tif").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"text", "one", "another"])
def test_other_files_than_components_are_refused(run, write_scene, mosaic, tmp_path, content):
    kept = tmp_path / "area.npz"
    if content == "one":
        with kept.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "another":
        np.savez(kept, directions=np.zeros(3))
    else:
        kept.write_bytes(content)
    with pytest.raises(EosfmError, match="is damaged, or no file that"):
        run(write_scene(mosaic[0]), shared=kept)


def test_components_belong_to_their_ensemble(tmp_path):
    one = Components(torch.randn(24, 6), torch.randn(6), 1.0, 0.5)
    kept = tmp_path / "area.npz"
    mean, std = np.array([-12, -18], np.float32), np.array([4, 4], np.float32)
    basis = Basis("a" * 64, ("vv", "vh"), mean, std, True, one)
    basis.save(kept)
    again = Basis.load(kept, "a" * 64)
    assert again.identity() == basis.identity() and again.bands == ("vv", "vh") and again.spectral
    torch.testing.assert_close(again.components.directions, one.directions)
    with pytest.raises(EosfmError, match="belongs to the ensemble with SHA-256 aaaaaaaaaaaa"):
        Basis.load(kept, "b" * 64)
    basis.expect_like(mean + 5, std, "scene.tif", kept)
    with pytest.raises(EosfmError, match=r"scene.tif has values of other units \(means of 0.0158 "):
        basis.expect_like(10 ** (mean / 10), np.ones(2, np.float32), "scene.tif", kept)


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
