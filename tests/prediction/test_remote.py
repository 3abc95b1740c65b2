"""A scene on a web server: read by parts, as a Cloud Optimized GeoTIFF is meant to be."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio import shutil

from eosfm.core.errors import EosfmError
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions, open_scene
from tests.fixtures.ranges import sent, serving
from tests.prediction.test_predict import SMALL

SIDE = 1536


@pytest.fixture
def cog(write_scene, tmp_path):
    """``cog(image, name)``: a Cloud Optimized GeoTIFF in a folder of its own."""

    def make(image: np.ndarray, name: str = "scene.tif") -> Path:
        path = tmp_path / "served" / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy(write_scene(image, name="plain.tif"), path, driver="COG", BLOCKSIZE=256)
        return path

    return make


def test_a_map_of_a_url_is_that_of_the_file(cog, mosaic, fitted_file, artifact, tmp_path):
    file, maps = cog(mosaic[0]), (tmp_path / "far.tif", tmp_path / "near.tif")
    with serving(file.parent) as address:
        for scene, out in zip((f"{address}/scene.tif", str(file)), maps, strict=True):
            predict(fitted_file("segmentation")[0], artifact, [scene], out, ReadOptions(), SMALL)
    far, near = (rasterio.open(out) for out in maps)
    np.testing.assert_array_equal(far.read(), near.read())
    assert (far.crs, far.transform) == (near.crs, near.transform)


def test_a_window_fetches_its_blocks_alone(cog):
    noise = np.random.default_rng(0).integers(1, 255, (3, SIDE, SIDE), np.uint8)
    file = cog(noise)
    with serving(file.parent) as address, rasterio.Env(CPL_VSIL_CURL_CHUNK_SIZE=16_384):
        scene = open_scene(f"{address}/scene.tif", ("red", "green", "blue"), None)
        before = sent(address)
        window = scene.read(300, 300, 64, 64)
        assert 0 < sent(address) - before < file.stat().st_size / 8
    np.testing.assert_array_equal(window, noise[:, 300:364, 300:364])


def test_a_scene_that_is_not_there_is_one_line(fitted_file, artifact, tmp_path):
    with serving(tmp_path) as address, pytest.raises(EosfmError, match="cannot be read as a"):
        predict(
            fitted_file("segmentation")[0], artifact, [f"{address}/none.tif"],
            tmp_path / "map.tif", ReadOptions(), SMALL,
        )  # fmt: skip
