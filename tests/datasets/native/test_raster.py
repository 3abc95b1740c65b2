"""Opening rasters: which warnings are kept back, and what is said of files that are none."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.gdal import open_raster
from eosfm.datasets.native.raster import read_bands
from eosfm.datasets.native.spec import Window


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
