"""Scenes of raster files: order, grids of several pixel sizes, dates without an image, faults."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.datasets.native.scenes import Label, Part, by_number, constant, crop, raster_scene, rgb
from eosfm.datasets.native.spec import Window
from eosfm.datasets.native.values import blank_as_nan
from eosfm.simulation.images import write_geotiff, write_png, write_tiff

WHOLE = Window(0, 0, 10, 7)


@pytest.fixture
def files(tmp_path):
    """A file of two bands, one of pixels three times as large, and classes, 10 x 7."""
    rng = np.random.default_rng(0)
    images = {
        "fine": rng.integers(0, 999, (2, 10, 7)).astype(np.uint16),
        "coarse": rng.normal(size=(1, 4, 3)).astype(np.float32),
        "classes": rng.integers(0, 4, (1, 10, 7)).astype(np.uint8),
    }
    for name, image in images.items():
        write_geotiff(tmp_path / f"{name}.tif", image, 10, (300, 500))
    return tmp_path, images


def scene(folder, *image, dates=()):
    target = Part(folder / "classes.tif")
    return raster_scene("a", "val", image, target, grid=target, dates=dates)


def test_bands_are_in_the_order_of_the_files_on_the_finest_grid(files):
    folder, images = files
    parts = (Part(folder / "coarse.tif", step=3), Part(folder / "fine.tif", 2))
    made = scene(folder, *parts)
    image = made.image(WHOLE)
    assert (made.height, made.width, made.crs, made.split) == (10, 7, "EPSG:32633", "val")
    assert [path.stem for path in made.files] == ["coarse", "fine", "classes"]
    assert image.shape == (1, 3, 10, 7) and image.dtype == np.float32
    for row, col in np.ndindex(10, 7):
        assert image[0, 0, row, col] == images["coarse"][0, row // 3, col // 3]
    np.testing.assert_array_equal(image[0, 1:], images["fine"])
    np.testing.assert_array_equal(made.target(WHOLE), images["classes"][0])


@pytest.mark.parametrize("window", [(0, 0, 1, 1), (1, 2, 4, 5), (5, 4, 5, 3), (3, 3, 3, 3)])
def test_windows_fall_anywhere_on_coarse_pixels(files, window):
    made = scene(files[0], Part(files[0] / "coarse.tif", step=3))
    row, col, height, width = window
    expected = made.image(WHOLE)[..., row : row + height, col : col + width]
    np.testing.assert_array_equal(made.image(Window(*window)), expected)


def test_dates_come_first_and_one_without_an_image_is_nan(files):
    folder, images = files
    parts = (Part(None, 2), Part(folder / "fine.tif", 2, lambda x, path: blank_as_nan(x, -1)))
    made = scene(folder, *parts, dates=("2020-01-01", "2020-02-01"))
    image = made.image(WHOLE)
    assert image.shape == (2, 2, 10, 7) and np.isnan(image[0]).all()
    np.testing.assert_array_equal(image[1], images["fine"])
    assert len(made.files) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda path: path.unlink(), r"fine\.tif not found; expected a file of a \(val\)"),
        (lambda path: path.write_bytes(path.read_bytes()[:-90]), r"fine\.tif is damaged"),
        (lambda path: path.write_text("<html>"), r"fine\.tif cannot be read as a raster"),
        (lambda path: write_tiff(path, np.zeros((2, 9, 7))), "of 9x7 px; expected 2 of 10x7"),
        (lambda path: write_tiff(path, np.zeros((3, 10, 7))), "3 band.s. .*; expected 2 of 10x7"),
    ],
)
def test_faults_are_one_line(files, fault, message):
    fault(files[0] / "fine.tif")
    with pytest.raises(EosfmError, match=message) as error:
        scene(files[0], Part(files[0] / "fine.tif", 2)).image(WHOLE)
    assert "\n" not in str(error.value)


def test_the_grid_is_the_first_files_whose_type_is_checked(files):
    folder, _ = files
    image, target = Part(folder / "fine.tif", 2, dtype="int16"), Part(folder / "classes.tif")
    with pytest.raises(EosfmError, match=r"2 band\(s\) of uint16; expected 2 of int16"):
        raster_scene("a", "train", [image], target)


def test_the_grid_is_that_of_the_finest_pixels_whatever_comes_first(files):
    folder, _ = files
    fine, coarse = Part(folder / "fine.tif", 2), Part(folder / "coarse.tif", step=3)
    for first in (coarse, Part(None, 1)):
        made = raster_scene("a", "val", [first, fine], Part(folder / "classes.tif"))
        assert (made.height, made.width) == (10, 7) and made.image(WHOLE).shape == (1, 3, 10, 7)


def test_a_scene_is_read_with_what_its_loop_had_then(files):
    """A reader has gone on to later scenes when the first ones are read, several at once."""
    folder, _ = files

    def read(root):
        for number in range(3):
            label = Label(folder / "classes.tif", lambda path, size, window: np.array(number))  # noqa: B023
            fine = Part(folder / "fine.tif", 2, lambda pixels, path: pixels * 0 + number)  # noqa: B023
            scene = raster_scene(f"s{number}", "train", [fine], label)
            yield replace(scene, target=lambda window: np.array(number)) if number else scene  # noqa: B023

    dataset = replace(get_dataset("loveda"), reader=read, ignore_index=0)
    for number, made in enumerate(list(dataset.scenes(folder))):
        assert made.target(WHOLE) == number and (made.image(WHOLE) == number).all()


def test_files_become_dates_and_bands(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 20, 30), np.uint8)
    paths = [tmp_path / f"{index}.png" for index in range(4)]
    for path, image in zip(paths, pixels, strict=True):
        write_png(path, image)
    write_png(tmp_path / "mask.png", pixels[0, 0])
    made = raster_scene("a", "val", [*map(rgb, paths)], Part(tmp_path / "mask.png"), frames=2)
    window = Window(3, 4, 10, 12)
    expected = pixels.reshape(2, 6, 20, 30)[..., 3:13, 4:16]
    np.testing.assert_array_equal(made.image(window), expected)
    np.testing.assert_array_equal(made.target(window), pixels[0, 0, 3:13, 4:16])
    assert made.files == (*paths, tmp_path / "mask.png") and made.crs is None


def test_a_class_is_the_whole_images_and_its_parts_keep_their_place_on_the_ground(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    path = tmp_path / "a.tif"
    write_geotiff(path, pixels, 2.0, (100.0, 500.0))
    whole = raster_scene("a", "train", [rgb(path)], constant(7, path))
    assert whole.files == (path,) and whole.target(WHOLE) == 7
    np.testing.assert_array_equal(whole.image(Window(0, 0, 20, 30))[0], pixels)
    part = crop(whole, "b", "test", Window(5, 10, 8, 6))
    assert (part.id, part.split, part.height, part.width) == ("b", "test", 8, 6)
    assert part.transform == (2.0, 0.0, 120.0, 0.0, -2.0, 490.0) and part.crs == whole.crs
    np.testing.assert_array_equal(part.image(Window(1, 2, 3, 4))[0], pixels[:, 6:9, 12:16])


def test_numbers_are_in_order():
    names = [Path(f"a/{name}.png") for name in ("10", "9", "100", "2")]
    assert [path.stem for path in by_number(names)] == ["2", "9", "10", "100"]


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_nodata_of_labels_that_are_real_numbers_is_no_label(tmp_path, dtype):
    path, values = tmp_path / "biomass.tif", np.array([[12, -9999], [-9999, 0]], dtype)
    write_geotiff(path, values[None], 10, (300, 500))
    with rasterio.open(path, "r+") as raster:
        raster.nodata = -9999
    whole = Window(0, 0, 2, 2)
    as_numbers = values if dtype == "int16" else np.where(values < 0, np.nan, values)
    np.testing.assert_array_equal(Part(path).target((2, 2), whole), as_numbers)
    # An image says what is not measured by its dataset, and a reader knows what it does.
    np.testing.assert_array_equal(Part(path).read((2, 2), whole)[0], values)
    own = Part(path, prepare=lambda pixels, path: pixels)
    np.testing.assert_array_equal(own.target((2, 2), whole), values)
