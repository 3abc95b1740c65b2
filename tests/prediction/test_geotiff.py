"""What a GeoTIFF itself cannot hold."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from eosfm.prediction.geotiff import Form, write_categories, writing
from eosfm.prediction.grid import Grid

TURNED = (
    "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +R=6371229 "
    "+to_meter=0.0174532925199433"
)
"""Of regional climate models; GeoTIFF has no keys for it."""


@pytest.mark.parametrize("crs", [TURNED, "EPSG:32632"])
def test_a_map_keeps_its_system_of_coordinates_beside_the_names_of_classes(tmp_path, crs):
    grid = Grid(8, 9, rasterio.CRS.from_string(crs), from_origin(1, 2, 0.001, 0.001))
    form = Form("uint8", 255, ("class",), "mode", lambda logits: logits)
    path = tmp_path / "map.tif"
    for _ in range(2):  # the second one replaces the first
        with writing(path, grid, form) as raster:
            raster.write(np.ones((1, 8, 9), np.uint8))
        write_categories(path, ("<1 & more", "water"))
        with rasterio.open(path) as raster:
            assert raster.crs == grid.crs
            assert raster.transform == pytest.approx(grid.transform)
            assert raster.descriptions == ("class",)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["map.tif", "map.tif.aux.xml"]
    assert "<Category>&lt;1 &amp; more</Category>" in (tmp_path / "map.tif.aux.xml").read_text()
