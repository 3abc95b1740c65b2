"""Opening rasters: which warnings are kept back, and what is said of files that are none."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.gdal import LARGEST_SIDE, check_sides, open_raster
from eosfm.datasets.native.raster import moved, read_bands
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_png


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A GeoTIFF without georeference."""
    path = tmp_path / "plain.tif"
    with (
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.open(path, "w", "GTiff", 4, 3, 1, dtype="uint8") as raster,
    ):
        raster.write(np.arange(12, dtype=np.uint8).reshape(1, 3, 4))
    return path


def test_a_plain_image_is_read_without_a_warning(plain: Path) -> None:
    with warnings.catch_warnings(action="error"):
        assert read_bands(plain, Window(1, 1, 2, 2), 1, (3, 4)).tolist() == [[[5, 6], [9, 10]]]
        with open_raster(plain) as raster:
            assert raster.crs is None


def test_other_warnings_are_kept(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = rasterio.open

    def warning(path: Path, driver: str) -> object:
        warnings.warn("other", stacklevel=1)
        return usual(path, driver=driver)

    monkeypatch.setattr(rasterio, "open", warning)
    with pytest.warns(UserWarning, match="other"):
        open_raster(plain)


def test_what_is_no_raster_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "page.tif").write_text("<html>")
    with pytest.raises(EosfmError, match=r"page\.tif cannot be read as a raster"):
        open_raster(tmp_path / "page.tif")


def test_images_of_another_size_than_the_scene_s_are_refused(plain: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "plain.png", np.zeros((3, 4), np.uint8))
    for path in (plain, tmp_path / "plain.png"):
        with pytest.raises(EosfmError, match=r"has 1 band\(s\) of 3x4 px; expected 1 of 2x4"):
            read_bands(path, Window(0, 0, 2, 2), 1, (2, 4))
    for size in ((1, LARGEST_SIDE + 1), (LARGEST_SIDE + 1, 1)):
        with pytest.raises(EosfmError, match="expected at most"):
            check_sides(plain, size)


def test_a_window_of_a_turned_image_has_its_place_on_the_ground() -> None:
    turned = (2.0, 0.5, 100.0, 0.25, -2.0, 500.0)
    assert moved(turned, Window(5, 10, 1, 1)) == (2.0, 0.5, 122.5, 0.25, -2.0, 492.5)
