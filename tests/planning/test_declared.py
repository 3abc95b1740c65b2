"""Files that contradict what a dataset says of them."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine, from_origin

from eosfm.datasets import get_dataset
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.values import as_stored
from eosfm.planning.declared import contradictions

BANDS = ("B02", "B03", "B04")
MINE = replace(
    get_dataset("loveda"), name="mine", bands=BANDS, units=("reflectance_1e4",) * 3,
    dtype="uint16", nodata=None,
)  # fmt: skip
MASK = {"descriptions": (), "dtype": "uint8"}


@pytest.fixture
def hints(tmp_path):
    def write(name, count, west=500_000, epsg=32633, descriptions=BANDS, dtype="uint16", **more):
        transform, size = more.pop("transform", from_origin(west, 5e6, 10, 10)), more.pop("size", 8)
        scales, offsets = more.pop("scales", None), more.pop("offsets", None)
        prepare, fill = more.pop("prepare", as_stored), more.pop("fill", 1)
        masked = more.pop("masked", False)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(
            tmp_path / name, "w", driver="GTiff", width=size, height=size, count=count, dtype=dtype,
            crs=f"EPSG:{epsg}", transform=transform, **more,
        ) as raster:  # fmt: skip
            raster.write(np.full((count, size, size), fill, dtype))
            raster.descriptions = descriptions or (None,) * count
            if masked:
                raster.write_mask(np.eye(size, dtype=bool))
            if scales:
                raster.scales, raster.offsets = scales, offsets
        return Part(tmp_path / name, count, prepare)

    def told(image, mask=MASK, dataset=MINE, own=True, apart=()):
        """``apart``: bands that have a file each."""
        files = [write(f"{name}.tif", 1, **image | {"descriptions": ()}) for name in apart]
        files = files or [write("image.tif", len(dataset.bands), **image)]
        scene = raster_scene("one", "train", files, write("mask.tif", 1, **mask))
        return list(contradictions(dataset, scene, own))

    return told


@pytest.mark.parametrize(
    "image",
    [
        {},
        {"descriptions": ("B2_10m", "Green", "b4")},
        {"descriptions": ("Band 3", "Band 2", "Band 1")},
        {"descriptions": ("B04", "B03", "B8A")},  # of another band, so nothing is known
        {"scales": (1e-4,) * 3, "offsets": (0.0,) * 3},
        {"nodata": 7},
    ],
)
def test_what_agrees_or_tells_nothing_is_silent(hints, image):
    assert hints(image, dataset=replace(MINE, nodata=7)) == []


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        ({"descriptions": ("red", "green", "blue")}, MASK,
         "image.tif names its bands red, green, blue, and those of the dataset are B02, B03, B04;"),
        ({"nodata": 0}, MASK, "image.tif declares the nodata value 0, and the dataset has none;"),
        ({"scales": (0.1,) * 3, "offsets": (0.0, 0.0, -5.0)}, MASK,
         "image.tif declares a scale of 0.1 and an offset of 0, and pixels are read as stored;"),
        ({}, MASK | {"west": 500_100},
         "mask.tif begins +10 columns and +0 rows from "),
        ({}, MASK | {"epsg": 32634}, "is in EPSG:32633, and "),
        ({"masked": True}, MASK, "image.tif has a mask of its own, and pixels below it are read"),
        ({}, MASK | {"masked": True}, "mask.tif has a mask of its own, and pixels below it are "),
        ({}, MASK | {"transform": from_origin(500_000, 5e6, 20, 20)},  # as many, larger pixels
         "mask.tif ends +8 columns and +8 rows from "),
        ({}, MASK | {"transform": Affine(10, 0, 500_000, 0, 10, 5e6)},  # up is down
         "mask.tif ends +0 columns and -16 rows from "),
        ({}, MASK | {"transform": from_origin(500_080, 5e6, 20, 20), "size": 4},
         "mask.tif begins +8 columns and +0 rows from "),
    ],
)  # fmt: skip
def test_each_contradiction_is_one_hint(hints, image, mask, words):
    (line,) = hints(image, mask)
    assert words in line


@pytest.mark.parametrize("west", [500_000, 500_010])
def test_coarse_pixels_may_begin_half_of_one_away(hints, west):
    """Where a grid is told by the middle of its first pixel."""
    coarse = {"transform": from_origin(west, 5e6, 20, 20), "size": 4}
    assert hints({}, MASK | coarse) == []


def test_files_of_one_band_each_are_looked_at_as_well(hints):
    (line,) = hints({"nodata": 0}, apart=BANDS)
    assert "B02.tif declares the nodata value 0, and the dataset has none;" in line
    (line,) = hints({"scales": (0.1,), "offsets": (0.0,)}, apart=BANDS)
    assert "B02.tif declares a scale of 0.1" in line
    assert hints({}, MASK | {"nodata": 255}, apart=BANDS) == []


def test_a_mask_s_own_nodata_is_none_of_the_image(hints):
    assert hints({}, MASK | {"nodata": 255}) == []


class TestLabelsOfRegression:
    dataset = replace(MINE, kind="regression", classes=("biomass",), ignore_index=None)

    def told(self, hints, nodata, prepare):
        mask = MASK | {"nodata": nodata, "dtype": "float32", "prepare": prepare}
        return hints({}, mask, self.dataset)

    def test_a_nodata_value_that_is_given_as_a_label_is_a_hint(self, hints):
        (line,) = self.told(hints, 1, lambda pixels, path: pixels)
        assert "mask.tif declares the nodata value 1, and labels have it; let the reader" in line

    def test_one_that_is_given_as_nan_or_that_no_pixel_has_is_none(self, hints):
        assert self.told(hints, 1, lambda pixels, path: np.where(pixels == 1, np.nan, pixels)) == []
        assert self.told(hints, 1, as_stored) == []
        assert self.told(hints, -9999, lambda pixels, path: pixels) == []
        assert self.told(hints, np.nan, as_stored) == []

    def test_a_scale_of_labels_is_a_hint(self, hints):
        mask = MASK | {"dtype": "uint16", "scales": (0.1,), "offsets": (0.0,)}
        (line,) = hints({}, mask, replace(self.dataset, target_unit="t/ha"))
        assert "mask.tif declares a scale of 0.1 and an offset of 0, and labels are read" in line
        assert line.endswith("gives t/ha")
        assert hints({}, mask) == []  # of classes it says nothing

    def test_labels_are_told_from_images_of_one_band_and_their_type(self, hints):
        radar = replace(
            self.dataset, bands=("vv",), units=("db",), dtype="float32", nodata=-99
        )  # fmt: skip
        image = {"dtype": "float32", "nodata": -99, "fill": -8, "descriptions": ("vv",)}
        mask = MASK | {"dtype": "float32", "nodata": 1}
        assert hints(image, mask, radar) == []  # that of labels is read as NaN
        (line,) = hints(image, mask | {"prepare": lambda pixels, path: pixels}, radar)
        assert "mask.tif declares the nodata value 1, and labels have it" in line

    def test_the_nodata_of_an_image_s_band_is_none_of_labels(self, hints):
        zero = replace(self.dataset, nodata=0)
        mask = MASK | {"dtype": "float32", "fill": 0}
        assert hints({"nodata": 0}, mask, zero, apart=BANDS) == []

    @pytest.mark.parametrize("dtype", ["uint32", "int32"])
    def test_the_largest_whole_number_is_found(self, hints, dtype):
        """A float of 32 bits does not hold it."""
        most = int(np.iinfo(dtype).max)
        mask = MASK | {"nodata": most, "dtype": dtype, "fill": most}
        (line,) = hints({}, mask, self.dataset)
        assert "and labels have it" in line

    @pytest.mark.filterwarnings("error:overflow")
    def test_the_lowest_of_double_precision_is_found_without_a_warning(self, hints):
        lowest = float(np.finfo("float64").min)
        mask = MASK | {"nodata": lowest, "dtype": "float64", "fill": lowest}
        assert hints({}, mask, self.dataset) == []  # read as NaN
        (line,) = hints({}, mask | {"prepare": lambda pixels, path: pixels}, self.dataset)
        assert "and labels have it" in line


def test_readers_of_published_data_see_to_nodata_and_scale(hints):
    found = hints({"nodata": 0, "descriptions": BANDS[::-1]}, own=False)
    assert [line.partition("image.tif ")[2].split()[0] for line in found] == ["names"]
