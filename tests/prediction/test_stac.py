"""Scenes from STAC items: bands by their names, dates by their own, assets of several grids."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from eosfm.core.bands import BANDS
from eosfm.core.errors import EosfmError
from eosfm.prediction import stac
from eosfm.prediction.cut import Cut
from eosfm.prediction.embed import embed
from eosfm.prediction.inputs import SceneSeries
from eosfm.prediction.plausible import check_values
from eosfm.prediction.scene import ReadOptions, open_scene
from eosfm.prediction.stac import SUBTRACTED, read_items
from tests.fixtures.ranges import serving

SMALL = Cut(window=64, overlap=32, device="cpu")
COLOURS = ("red", "green", "blue")


@pytest.fixture
def make_item(write_scene, tmp_path):
    """``make_item(name, image, date, form)``: a file of one item with an asset per colour."""

    def make(name, image, date="2020-05-01", form="eo:bands", told=None, **band):
        assets = {"thumbnail": {"href": "no.png", "roles": ["thumbnail"],
                                "eo:bands": [{"common_name": c} for c in COLOURS]}}  # fmt: skip
        for number, colour in enumerate(COLOURS):
            file = f"{name}_{number}.tif"
            write_scene(image[number : number + 1], file, descriptions=None)
            key = "common_name" if form == "eo:bands" else "eo:common_name"
            assets[f"x{number}"] = {"href": f"./{file}", "roles": ["data"],
                                    form: [{"name": f"N{number}", key: colour}]}  # fmt: skip
            if band:
                assets[f"x{number}"]["raster:bands"] = [band]
        item = {"type": "Feature", "id": name, "assets": assets,
                "properties": {"datetime": f"{date}T10:00:00Z", **(told or {})}}  # fmt: skip
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(item))
        return path

    return make


@pytest.mark.parametrize("form", ["eo:bands", "bands"])
def test_bands_are_found_by_their_common_names(make_item, mosaic, form):
    (item,) = read_items(str(make_item("a", mosaic[0], form=form)))
    assert item.date == "2020-05-01"
    scene = open_scene(item, ("blue", "red"), None)
    np.testing.assert_array_equal(scene.read(0, 0, 96, 160), mosaic[0][[2, 0]])
    with pytest.raises(EosfmError, match=r"has assets of red, green, blue; .*missing: nir"):
        open_scene(item, ("nir", "red"), None)


def test_an_item_is_embedded_as_a_raster_of_its_bands(
    make_item, write_scene, mosaic, artifact, tmp_path
):
    scenes = {"item": str(make_item("a", mosaic[0])), "raster": write_scene(mosaic[0])}
    for name, scene in scenes.items():
        embed(artifact, scene, tmp_path / f"{name}.tif", ReadOptions(), 4, "int8", False, SMALL)
    with rasterio.open(tmp_path / "item.tif") as one, rasterio.open(tmp_path / "raster.tif") as two:
        np.testing.assert_array_equal(one.read(), two.read())
    few = ReadOptions(("green", "red"))
    kept = tmp_path / "area.npz"
    line = embed(artifact, scenes["item"], tmp_path / "few.tif", few, 4, "int8", False, SMALL, kept)
    turned = ReadOptions(("red", "green"))
    embed(artifact, scenes["item"], tmp_path / "y.tif", turned, None, "int8", False, SMALL, kept)
    other = ReadOptions(("blue", "red"))
    with pytest.raises(EosfmError, match=r"--bands .*, and .*area.npz was fitted with .*; leave"):
        embed(artifact, scenes["item"], tmp_path / "x.tif", other, None, "int8", False, SMALL, kept)
    assert "4 components" in line
    items = [json.loads(make_item(name, mosaic[0]).read_text()) for name in "bc"]
    both = tmp_path / "both.json"
    both.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with pytest.raises(EosfmError, match="holds 2 items; give one, for a scene of one"):
        embed(artifact, str(both), tmp_path / "x.tif", ReadOptions(), 4, "int8", False, SMALL)


@pytest.mark.parametrize(
    ("band", "meant"),
    [({"name": "B4", "common_name": "nir08"}, "B8A"),  # of Landsat 7
     ({"name": "B1", "common_name": "blue"}, "B02"),
     ({"name": "B10", "common_name": "lwir11"}, None),
     ({"name": "B8", "common_name": "pan"}, None),
     ({"name": "B05", "common_name": "rededge"}, "B05"),
     ({"name": "B8A", "common_name": "rededge"}, "B8A"),  # as Planetary Computer has it
     ({"name": "rededge2", "common_name": "rededge"}, "B06"),
     ({"name": "red", "common_name": "red"}, "B04")],
)  # fmt: skip
def test_what_a_band_means_counts_more_than_its_number(make_item, band, meant):
    path = make_item("a", np.zeros((3, 8, 8), np.uint16))
    item = json.loads(path.read_text())
    item["assets"] = {"x": item["assets"]["x0"] | {"eo:bands": [band]}}
    path.write_text(json.dumps(item))
    (found,) = read_items(str(path))
    names = [name for asset in found.assets for name in asset.bands]
    assert [BANDS[name].common for name in names] == ([BANDS[meant].common] if meant else [])


@pytest.mark.parametrize(
    ("key", "band", "meant"),
    [("B04", {}, "B04"), ("B04", {"name": "channel 1"}, "B04"),
     ("B8", {"common_name": "pan"}, None), ("data", {"name": "channel 1"}, None)],
)  # fmt: skip
def test_the_key_of_an_asset_names_a_band_that_nothing_else_names(make_item, key, band, meant):
    path = make_item("a", np.zeros((3, 8, 8), np.uint16))
    item = json.loads(path.read_text())
    item["assets"] = {key: item["assets"]["x0"] | {"eo:bands": [band]}}
    path.write_text(json.dumps(item))
    (found,) = read_items(str(path))
    assert [name for asset in found.assets for name in asset.bands] == ([meant] if meant else [])


@pytest.mark.parametrize(
    ("told", "meant"), [({}, "B11"), ({"name": "B06"}, "B11"), ({"name": "B10"}, None)]
)
def test_numbers_that_nothing_explains_are_those_of_the_file_s_sensor(make_item, told, meant):
    path = make_item("a", np.zeros((3, 8, 8), np.uint16))
    item = json.loads(path.read_text())
    key = told.get("name", "B06")
    href = f"https://example.org/HLS.L30.T10SEH.2018245T185921.v2.0.{key}.tif?sig=a.b"
    item["assets"] = {key: {"href": href, "eo:bands": [told]}}
    path.write_text(json.dumps(item))
    (found,) = read_items(str(path))
    assert [name for asset in found.assets for name in asset.bands] == ([meant] if meant else [])


def test_what_the_product_of_an_asset_leaves_unsaid_is_known(make_item, write_scene):
    pixels = np.full((1, 8, 8), 9000, np.uint16)
    pixels[0, 0] = 0
    name = "LC08_L2SP_204031_20170106_20200905_02_T1_SR_B4.TIF"
    write_scene(pixels, name, descriptions=None)
    path = make_item("a", np.zeros((3, 8, 8), np.uint16))
    item = json.loads(path.read_text())
    band = {"name": "B4", "common_name": "red"}
    item["assets"] = {"red": {"href": f"./{name}", "eo:bands": [band]}}
    path.write_text(json.dumps(item))
    (found,) = read_items(str(path))
    values = open_scene(found, ("red",), ("reflectance_1e4",)).read(0, 0, 8, 8)
    assert np.isnan(values[0, 0]).all() and values[0, 1:] == pytest.approx(475)


def test_an_item_that_says_that_the_offset_is_gone_counts_more_than_a_name(make_item, write_scene):
    name = "T30UYV_20230520T104629_B11_20m.tif"
    write_scene(np.full((1, 8, 8), 400, np.uint16), name, descriptions=None)
    path = make_item("a", np.zeros((3, 8, 8), np.uint16))
    item = json.loads(path.read_text())
    item["assets"] = {"B11": {"href": f"./{name}", "eo:bands": [{"name": "B11"}]}}
    for said, value in (({"earthsearch:boa_offset_applied": True}, 400), ({}, -600)):
        item["properties"] = {"datetime": "2023-05-20T10:00:00Z", **said}
        path.write_text(json.dumps(item))
        (found,) = read_items(str(path))
        values = open_scene(found, ("B11",), ("reflectance_1e4",)).read(0, 0, 8, 8)
        assert values[0, 0, 0] == pytest.approx(value)


def test_what_an_asset_tells_of_all_its_bands_counts(make_item):
    image = np.full((3, 40, 40), 3000, np.uint16)
    image[:, 5] = 9
    path = make_item("a", image, form="bands")
    item = json.loads(path.read_text())
    for number in range(3):
        item["assets"][f"x{number}"] |= {"raster:scale": 1e-4, "raster:offset": -0.1, "nodata": 9}
    item["assets"]["odd"] = {"href": "odd.tif", "raster:bands": [{}, {}], "bands": [{}] * 3}
    path.write_text(json.dumps(item))
    values = open_scene(read_items(str(path))[0], ("red",), ("reflectance_1e4",)).read(0, 0, 40, 40)
    assert np.isnan(values[0, 5]).all() and values[0, 6, 6] == pytest.approx(2000)


def test_what_the_item_declares_of_values_counts(make_item):
    image = np.full((3, 40, 40), 3000, np.uint16)
    image[:, 5] = 0
    (item,) = read_items(str(make_item("a", image, scale=1e-4, offset=-0.1, nodata=0)))
    values = open_scene(item, ("red",), ("reflectance_1e4",)).read(0, 0, 40, 40)
    assert np.isnan(values[0, 5]).all() and values[0, 6, 6] == pytest.approx(2000)


@pytest.mark.parametrize(
    ("told", "band", "expected"),
    [
        ({}, {}, 3000),
        ({}, {"scale": 1e-4, "offset": -0.1}, 2000),
        ({"earthsearch:boa_offset_applied": True}, {"scale": 1e-4, "offset": -0.1}, 3000),
        ({"earthsearch:boa_offset_applied": False}, {"scale": 1e-4, "offset": -0.1}, 2000),
        ({"sentinel:boa_offset_applied": True, "s2:processing_baseline": "04.00"}, {}, 3000),
        ({"s2:processing_baseline": "05.09"}, {}, 2000),
        ({"s2:processing_baseline": 5.1}, {}, 2000),
        ({"s2:processing_baseline": "04.00"}, {"scale": 1e-4, "offset": 0}, 3000),
        ({"s2:processing_baseline": "03.01"}, {}, 3000),
    ],
)
def test_the_offset_of_sentinel_2_counts_once(make_item, told, band, expected):
    image = np.full((3, 40, 40), 3000, np.uint16)
    (item,) = read_items(str(make_item("a", image, told=told, **band)))
    values = open_scene(item, ("red",), ("reflectance_1e4",)).read(0, 0, 40, 40)
    assert values[0, 6, 6] == pytest.approx(expected)
    stored = open_scene(item, ("red",), ("dn16",)).read(0, 0, 40, 40)
    assert stored[0, 6, 6] == 3000


@pytest.mark.parametrize(("dark", "noted"), [(900, False), (790, True)])
def test_dark_values_of_which_the_offset_was_subtracted_are_noted(make_item, dark, noted):
    image = np.full((3, 40, 40), 3000, np.uint16)
    image[1] = dark
    (item,) = read_items(
        str(make_item("a", image, told={SUBTRACTED[0]: False}, scale=1e-4, offset=-0.1))
    )
    units = ("reflectance_1e4",) * 3
    said = check_values(open_scene(item, COLOURS, units), units)
    assert ("are below -210 after 1,000 was subtracted" in said) == noted
    again = open_scene(item, COLOURS, units, ReadOptions(offset=1000.0))
    assert check_values(again, units) == "" and again.read(0, 0, 40, 40)[1, 6, 6] == dark


def test_what_the_task_knows_of_nodata_counts_where_the_item_says_nothing(make_item):
    image = np.full((3, 40, 40), 7, np.uint8)
    image[:, 5] = 0
    (item,) = read_items(str(make_item("a", image)))
    values = open_scene(item, COLOURS, None, ReadOptions(nodata=0.0)).read(0, 0, 40, 40)
    assert np.isnan(values[:, 5]).all() and np.isnan(values).sum() == 3 * 40


@pytest.mark.parametrize("way", ["mask", "item", "file"])
def test_what_a_coarser_asset_did_not_measure_stays_so(make_item, write_scene, way):
    path = make_item(
        "a", np.full((3, 40, 40), 7, np.uint16), **({"nodata": 9} if way == "item" else {})
    )
    coarse = np.full((1, 15, 20), 3000, np.uint16)  # ends 100 m before the others
    coarse[:, :, :10] = 9
    place = {"transform": from_origin(400_000, 5_000_000, 20, 20)}
    nodata = 9 if way == "file" else None
    file = write_scene(coarse, "a_1.tif", descriptions=None, nodata=nodata, **place)
    if way == "mask":
        with rasterio.open(file, "r+") as raster:
            raster.write_mask((coarse[0] != 9).astype(np.uint8) * 255)
    values = open_scene(read_items(str(path))[0], COLOURS, None).read(0, 0, 40, 40)
    expected = np.full((40, 40), np.nan, np.float32)
    expected[:30, 20:] = 3000
    np.testing.assert_array_equal(values[1], expected)
    assert (values[[0, 2]] == 7).all()


def test_coarser_assets_are_read_on_the_finest_grid(make_item, write_scene, tmp_path):
    path = make_item("a", np.full((3, 40, 40), 7, np.uint8))
    coarse = np.repeat(np.arange(20, dtype=np.uint8)[None, :, None], 20, axis=2)
    place = {"transform": from_origin(400_000, 5_000_000, 20, 20)}
    write_scene(coarse, "a_1.tif", descriptions=None, **place)
    scene = open_scene(read_items(str(path))[0], COLOURS, None)
    values = scene.read(10, 0, 20, 40)
    assert scene.grid.size == (40, 40) and (values[[0, 2]] == 7).all()
    assert np.abs(values[1, :, 5] - (np.arange(10, 30) - 0.5) / 2).max() <= 1


def test_a_collection_is_a_series_in_the_order_of_its_dates(
    make_item, mosaic, fitted_file, tmp_path
):
    from eosfm.evaluation.fitted import read_fitted

    plain = np.full_like(mosaic[0], 100)
    dates = {"late": "2020-09-01", "early": "2020-04-01", "middle": "2020-06-15"}
    items = [
        json.loads(make_item(n, mosaic[0] if n == "middle" else plain, d).read_text())
        for n, d in dates.items()
    ]
    path = tmp_path / "search.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    given = SceneSeries(read_fitted(fitted_file("series")[0]), [str(path)], ReadOptions())
    assert [scene.path.partition("(")[2] for scene in given.scenes] == [
        "early)", "middle)", "late)",
    ]  # fmt: skip
    assert np.diff(given.days.numpy()).tolist() == [75, 78]
    with pytest.raises(EosfmError, match=r"is of STAC and tells its bands itself; leave --bands"):
        SceneSeries(given.fitted, [str(path)], ReadOptions(COLOURS))
    items[1]["properties"]["datetime"] = None
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    with pytest.raises(EosfmError, match=r"early\) has no datetime, so the order of the 3 items"):
        read_items(str(path))


def test_over_http(make_item, mosaic, tmp_path, monkeypatch):
    make_item("a", mosaic[0])
    with serving(tmp_path) as place:
        (item,) = read_items(f"{place}/a.json")
        assert item.assets[0].href == f"{place}/a_0.tif"
        with pytest.raises(EosfmError, match="cannot be read"):
            read_items(f"{place}/none.json")
        (tmp_path / "deep.json").write_text("[" * 200_000)
        with pytest.raises(EosfmError, match=r"deep\.json cannot be read"):
            read_items(f"{place}/deep.json")
        monkeypatch.setattr(stac, "LARGEST", 100)
        with pytest.raises(EosfmError, match=r"a\.json has more than 100 bytes; expected a STAC"):
            read_items(f"{place}/a.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "is of type None; expected a STAC item"),
        ({"type": "Catalog"}, "is of type 'Catalog'"),
        ({"type": "FeatureCollection", "features": []}, "holds no item"),
        ({"type": "Feature"}, "is no STAC item"),
        ({"type": "Feature", "properties": {}, "assets": {"a": {}}}, "is no STAC item"),
        ({"type": "Feature", "properties": None, "assets": {}}, "is no STAC item"),
        (
            {"type": "Feature", "properties": {"datetime": ["2020-05-01"]}, "assets": {}},
            r"is no STAC item \(TypeError: a date of \['2020-05-01'\]\)",
        ),
    ],
)
def test_what_is_no_stac_is_one_line(tmp_path, content, message):
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(EosfmError, match=message):
        read_items(str(tmp_path / "x.json"))
