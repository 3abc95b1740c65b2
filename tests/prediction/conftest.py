"""Tasks that are fitted in seconds, and scenes to predict."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tests.fixtures.tasks import SIZE, picture

PLACE = {"crs": "EPSG:32633", "transform": from_origin(400_000, 5_000_000, 10, 10)}


@pytest.fixture
def write_scene(tmp_path):
    """``write_scene(pixels, name=..., descriptions=..., nodata=..., ...)``: a GeoTIFF's path."""

    def write(pixels, name="scene.tif", descriptions=("red", "green", "blue"), scales=None, **more):
        pixels = np.asarray(pixels)
        count, height, width = pixels.shape
        options = {**PLACE, **more}
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            path, "w", driver="GTiff", count=count, height=height, width=width,
            dtype=pixels.dtype, **options,
        ) as raster:  # fmt: skip
            raster.write(pixels)
            if descriptions:
                raster.descriptions = descriptions
            if scales:
                raster.scales = scales
        return str(path)

    return write


@pytest.fixture(scope="session")
def mosaic():
    """An image (3, 96, 160) of squares with one bright half each, and which pixels are bright."""
    rows = [[picture(10 * r + c, upright=(r + c) % 2 == 0) for c in range(5)] for r in range(3)]
    image = np.concatenate([np.concatenate([i[0] for i, _ in row], axis=2) for row in rows], axis=1)
    bright = np.concatenate([np.concatenate([m for _, m in row], axis=1) for row in rows], axis=0)
    assert image.shape == (3, 3 * SIZE, 5 * SIZE)
    return image, bright
