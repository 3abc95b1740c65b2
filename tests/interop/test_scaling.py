import textwrap

import numpy as np
import pytest
import rasterio
import torch
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

import eosfm
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.model import EosFM
from eosfm.simulation.images import write_geotiff
from eosfm.tiles.statistics import BandStatistics
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.tiles.conftest import ROOT, draw, draw_mask, draw_scenes, make_dataset, make_scene


def write(path, values, **options):
    profile = {"driver": "GTiff", "count": len(values), "height": values.shape[1],
               "width": values.shape[2], "dtype": values.dtype, **options}  # fmt: skip
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path, "w", **profile) as raster:
        raster.write(values)
    return path


def test_of_a_raster(tmp_path):
    values = np.random.default_rng(0).integers(1, 9000, (3, 150, 90)).astype("uint16")
    write_geotiff(tmp_path / "scene.tif", values, 10.0, (0.0, 0.0))
    found = eosfm.statistics(tmp_path / "scene.tif")
    flat = values.reshape(3, -1).astype(float)
    np.testing.assert_allclose(found.mean, flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.std, flat.std(1), rtol=1e-9)
    assert found.valid == (1.0, 1.0, 1.0)
    assert found.bands is None


def test_nodata_and_nan_are_left_out_band_by_band(tmp_path):
    values = np.random.default_rng(0).normal(50, 5, (2, 64, 80)).astype("float32")
    values[0, :32] = -9999
    values[1, :, :20] = np.nan
    values[1, :, 5] = np.inf  # of a ratio, or a logarithm
    values[1, :, 6] = -3.4e38  # a gap that is no longer declared
    options = {"nodata": -9999, "tiled": True, "blockxsize": 16, "blockysize": 16}
    found = eosfm.statistics(write(tmp_path / "s.tif", values, **options))
    first, second = values[0, 32:].astype(float), values[1, :, 20:].astype(float)
    np.testing.assert_allclose(found.mean, (first.mean(), second.mean()), rtol=1e-12)
    np.testing.assert_allclose(found.std, (first.std(), second.std()), rtol=1e-9)
    assert found.valid == (0.5, 0.75)


def test_a_fourth_band_of_8_bits_that_has_a_name_is_no_mask(tmp_path):
    """GDAL takes it for opacity; near infrared is 0 on water."""
    values = np.random.default_rng(0).integers(1, 200, (4, 64, 64)).astype("uint8")
    values[3, :, :32] = 0
    path = write(tmp_path / "s.tif", values, photometric="RGB", alpha="YES")
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path, "r+") as raster:
        raster.descriptions = ("red", "green", "blue", "nir")
    found = eosfm.statistics(path)
    np.testing.assert_allclose(found.mean, values.reshape(4, -1).mean(1), rtol=1e-12)
    assert found.valid == (1.0, 1.0, 1.0, 1.0)


def test_opacity_beside_four_bands_is_a_mask(tmp_path):
    values = np.random.default_rng(0).integers(1, 200, (5, 64, 64)).astype("uint16")
    values[4, :, :32] = 0
    path = write(tmp_path / "s.tif", values)
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path, "r+") as raster:
        raster.colorinterp = [ColorInterp.gray, *[ColorInterp.undefined] * 3, ColorInterp.alpha]
    found = eosfm.statistics(path)
    seen = values[:4, :, 32:].reshape(4, -1)
    np.testing.assert_allclose(found.mean, seen.mean(1), rtol=1e-12)
    assert found.valid == (0.5,) * 4


def test_opacity_is_no_band(tmp_path):
    values = np.random.default_rng(0).integers(1, 200, (4, 64, 64)).astype("uint8")
    values[3, :, :32] = 0
    found = eosfm.statistics(write(tmp_path / "s.tif", values, photometric="RGB", alpha="YES"))
    assert found.bands == ("red", "green", "blue") and found.valid == (0.5,) * 3
    seen = values[:3, :, 32:].reshape(3, -1)
    np.testing.assert_allclose(found.mean, seen.mean(1), rtol=1e-12)


def test_a_granule_is_0_where_nothing_was_measured(tmp_path):
    """At the edge of a swath; Sentinel-2's files of single bands often declare no nodata value."""
    values = np.random.default_rng(0).integers(1, 2000, (1, 64, 64)).astype("uint16")
    values[:, :, :32] = 0
    found = eosfm.statistics(write(tmp_path / "T32TQM_20230601T101031_B04_10m.tif", values))
    np.testing.assert_allclose(found.mean, values[0, :, 32:].astype(float).mean(), rtol=1e-12)
    assert found.valid == (0.5,)
    own = eosfm.statistics(write(tmp_path / "field_B04.tif", values))  # where 0 is a value
    assert own.valid == (1.0,)


@pytest.mark.parametrize(
    ("name", "others"),
    [("T32TQM_20230601T101031_{}_10m.tif", ("SCL", "WVP")),
     ("HLS.S30.T10SEH.2018245T185921.v2.0.{}.tif", ("Fmask",)),
     ("LC08_L2SP_192024_20200501_20200820_02_T1_SR_{}.TIF", ("QA_AEROSOL",))],
)  # fmt: skip
def test_of_a_product_its_bands_count(tmp_path, name, others):
    """Not its classes, aerosol or water vapour: a backbone has a place for bands alone."""
    values = np.random.default_rng(0).integers(1, 9000, (1, 8, 8)).astype("uint16")
    (tmp_path / "product").mkdir()
    for what in ("B03", "B04", *others):
        write(tmp_path / "product" / name.format(what), values)
    assert len(eosfm.statistics(tmp_path / "product").bands) == 2


def test_names_of_the_bands_and_one_that_is_constant(tmp_path):
    values = np.stack([np.arange(64).reshape(8, 8), np.full((8, 8), 7)]).astype("uint8")
    path = write(tmp_path / "s.tif", values)
    with pytest.warns(NotGeoreferencedWarning), rasterio.open(path, "r+") as raster:
        raster.descriptions = ("B4, central wavelength 665 nm", "B10")
    found = eosfm.statistics(str(path))
    assert found.bands == ("B04", "B10")
    assert (found.mean[1], found.std[1]) == (7.0, 1.0)


def test_of_a_folder_with_a_file_per_band(tmp_path):
    values = np.random.default_rng(0).integers(1, 9000, (3, 40, 40)).astype("uint16")
    values[2, :10] = 0
    (tmp_path / "scene").mkdir()
    for name, band, nodata in zip(("B02", "B03", "B04"), values, (None, None, 0), strict=True):
        write(tmp_path / f"scene/x_{name}.tif", band[None], nodata=nodata)
    found = eosfm.statistics(tmp_path / "scene")
    assert found.bands == ("B02", "B03", "B04") and found.valid == (1.0, 1.0, 0.75)
    expected = [*values[:2].mean((1, 2)), values[2, 10:].mean()]
    np.testing.assert_allclose(found.mean, expected, rtol=1e-12)
    write(tmp_path / "scene/y.tif", values[:1])
    assert eosfm.statistics(tmp_path / "scene").bands is None


@pytest.mark.parametrize(("dtype", "names"), [("uint8", ("red", "green", "blue")), ("int32", None)])
def test_tiles_of_a_folder_count_together(tmp_path, dtype, names):
    values = np.random.default_rng(0).integers(0, 200, (5, 3, 16, 20)).astype(dtype)
    for number, tile in enumerate(values):
        write(tmp_path / f"{number}.tif", tile, photometric="RGB" if names else "MINISBLACK")
    found = eosfm.statistics(tmp_path)
    assert found.bands == names and found.valid == (1.0, 1.0, 1.0)
    np.testing.assert_allclose(found.mean, values.mean((0, 2, 3)))
    np.testing.assert_allclose(found.std, values.std((0, 2, 3)))


def test_blocks_that_are_the_whole_image_are_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("eosfm.interop.scaling.WINDOW", 16)
    values = np.random.default_rng(0).integers(0, 200, (1, 50, 70)).astype("uint8")
    path = write(tmp_path / "s.tif", values, blockysize=50)
    sizes = []
    add = BandStatistics.update

    def record(self, image, missing):
        sizes.append(image.shape[2:])
        add(self, image, missing)

    monkeypatch.setattr(BandStatistics, "update", record)
    found = eosfm.statistics(path)
    assert max(sizes) == (16, 16) and sum(h * w for h, w in sizes) == values.size
    np.testing.assert_allclose(found.mean, values.mean())


def test_of_a_tile_store(tmp_path):
    cut_dataset(make_dataset(draw_scenes()), ROOT, tmp_path / "toy", 16, source="simulated")
    found, store = eosfm.statistics(tmp_path / "toy"), TileStore(tmp_path / "toy")
    assert found.bands == store.bands
    assert dict(zip(found.bands, found.mean, strict=True)) == store.mean
    assert dict(zip(found.bands, found.std, strict=True)) == store.std
    image = draw(0, 16, 16)
    image[:, 1] = 7
    scene = make_scene("s", "train", image, draw_mask(0, 16, 16))
    cut_dataset(make_dataset([scene]), ROOT, tmp_path / "dull", 16, source="simulated")
    assert eosfm.statistics(tmp_path / "dull").bands == ("red", "blue")


def test_what_has_no_statistics(tmp_path):
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "folder").mkdir()
    for path in ("text.tif", "missing.tif", ".", "folder"):
        with pytest.raises(EosfmError, match="the folder of a tile store will do"):
            eosfm.statistics(tmp_path / path)
    with pytest.raises(EosfmError, match="a path is None; expected the name of a file"):
        eosfm.statistics(None)
    write(tmp_path / "empty.tif", np.zeros((1, 8, 8), "uint8"), nodata=0)
    with pytest.raises(EosfmError, match="band 1 has no measured pixel"):
        eosfm.statistics(tmp_path / "empty.tif")


@pytest.mark.filterwarnings("error")
def test_a_picture_without_georeference_is_fine(tmp_path):
    values = np.arange(192, dtype="uint8").reshape(3, 8, 8)
    assert eosfm.statistics(write(tmp_path / "s.png", values, driver="PNG")).mean[0] == 31.5


def test_the_examples_of_the_backbone_run(members, tmp_path, monkeypatch):
    """Those of its docstring, each after a ``::``."""
    monkeypatch.chdir(tmp_path)
    save_artifact("models/eosfm.pth", members[:1])
    values = np.random.default_rng(0).integers(1, 9000, (3, 32, 32)).astype("uint16")
    write_geotiff(tmp_path / "scene.tif", values, 10.0, (0.0, 0.0))
    with rasterio.open(tmp_path / "scene.tif", "r+") as raster:
        raster.descriptions = ("B04", "B03", "B02")
    examples = EosFM.__doc__.split("::\n")[1:]
    assert len(examples) == 3
    for example in examples:
        code = textwrap.dedent(example.strip("\n").split("\n\n")[0])
        names = {"EosFM": EosFM, "eosfm": eosfm}
        exec(code, names)
        assert len(names["backbone"](torch.rand(1, 3, 32, 32))) == 4


def test_it_standardises_what_a_backbone_takes(members, tmp_path):
    values = np.random.default_rng(0).integers(1, 9000, (3, 64, 64)).astype("uint16")
    write_geotiff(tmp_path / "scene.tif", values, 10.0, (0.0, 0.0))
    scene = eosfm.statistics(tmp_path / "scene.tif")
    bands = ["B04", "B03", "B02"]
    backbone = EosFM.from_specialists(members[:1], bands, mean=scene.mean, std=scene.std).eval()
    x = torch.from_numpy(values.astype("float32"))[None]
    flat = x.double().flatten(2)
    scaled = (x.double() - flat.mean(2)[..., None, None]) / flat.std(2, correction=0)[
        ..., None, None
    ]
    plain = EosFM.from_specialists(members[:1], bands).eval()
    plain.load_state_dict(backbone.state_dict(), strict=False)
    for one, two in zip(backbone(x), plain(scaled.float()), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)
