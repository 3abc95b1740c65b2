"""Image and mask pairs, masks of values and of colours, parts of scenes."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.readers.pairs import by_number, classified, crop, pair, read_codes
from eosfm.datasets.readers.raster import write_geotiff, write_png
from eosfm.datasets.readers.rgb_masks import read_colors
from eosfm.datasets.spec import Window

RNG = np.random.default_rng(0)
SIZE = (20, 30)
WHOLE = Window(0, 0, *SIZE)


def images(folder: Path, count: int) -> tuple[list[Path], np.ndarray]:
    pixels = RNG.integers(0, 256, (count, 3, *SIZE), np.uint8)
    paths = [folder / f"{index}.png" for index in range(count)]
    for path, image in zip(paths, pixels, strict=True):
        write_png(path, image)
    return paths, pixels


def test_files_become_dates_and_bands(tmp_path: Path):
    paths, pixels = images(tmp_path, 4)
    read = partial(read_codes, "mine", range(256))
    write_png(tmp_path / "mask.png", pixels[0, 0])
    scene = pair("mine", "a", "val", paths, tmp_path / "mask.png", read, frames=2)
    window = Window(3, 4, 10, 12)
    expected = pixels.reshape(2, 6, *SIZE)[..., 3:13, 4:16]
    np.testing.assert_array_equal(scene.image(window), expected)
    np.testing.assert_array_equal(scene.target(window), pixels[0, 0, 3:13, 4:16])
    assert scene.files == (*paths, tmp_path / "mask.png") and scene.crs is None


def test_a_class_is_the_whole_images(tmp_path: Path):
    (path,), pixels = images(tmp_path, 1)
    scene = classified("mine", "a", "train", path, 7)
    assert scene.files == (path,) and scene.target(WHOLE) == 7
    np.testing.assert_array_equal(scene.image(WHOLE), pixels)


def test_parts_keep_their_place_on_the_ground(tmp_path: Path):
    pixels = RNG.integers(0, 256, (3, *SIZE), np.uint8)
    write_geotiff(tmp_path / "a.tif", pixels, 2.0, (100.0, 500.0))
    whole = classified("mine", "a", "train", tmp_path / "a.tif", 1)
    part = crop(whole, "b", "test", Window(5, 10, 8, 6))
    assert (part.id, part.split, part.height, part.width) == ("b", "test", 8, 6)
    assert part.transform == (2.0, 0.0, 120.0, 0.0, -2.0, 490.0) and part.crs == whole.crs
    np.testing.assert_array_equal(part.image(Window(1, 2, 3, 4))[0], pixels[:, 6:9, 12:16])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32])
def test_codes_become_classes_whatever_their_type(tmp_path: Path, dtype):
    codes = RNG.choice([0, 64, 127, 255], (1, *SIZE)).astype(dtype)
    write_geotiff(tmp_path / "mask.tif", codes, 1.0, (0, 0))
    found = read_codes("mine", (0, 127, 64), tmp_path / "mask.tif", SIZE, WHOLE, ignore=255)
    assert found.dtype == np.uint8
    for code, index in {0: 0, 127: 1, 64: 2, 255: 255}.items():
        np.testing.assert_array_equal(found == index, codes[0] == code)


@pytest.mark.parametrize("value", [-1, 5, 255, 256, 300])
def test_a_value_of_no_class_is_named(tmp_path: Path, value: int):
    codes = np.zeros((1, *SIZE), np.int16)
    codes[0, 4, 5] = value
    write_geotiff(tmp_path / "mask.tif", codes, 1.0, (0, 0))
    with pytest.raises(EosfmError, match=rf"holds the value {value}; expected 0 to 4"):
        read_codes("mine", range(5), tmp_path / "mask.tif", SIZE, WHOLE)
    assert not read_codes("mine", range(5), tmp_path / "mask.tif", SIZE, Window(0, 0, 4, 5)).any()


def test_colours_near_a_corner_are_its_class(tmp_path: Path):
    colors = np.array([(255, 0, 0), (240, 10, 9), (0, 0, 0)], np.uint8)
    write_png(tmp_path / "mask.png", np.broadcast_to(colors.T[:, None], (3, 2, 3)))
    read = partial(read_colors, "mine", {(255, 0, 0): 3, (0, 0, 0): 255})
    size, window = (2, 3), Window(0, 0, 2, 3)
    assert read(20, tmp_path / "mask.png", size, window).tolist() == [[3, 3, 255]] * 2
    with pytest.raises(EosfmError, match=r"colour \(240, 10, 9\) at row 0, column 1"):
        read(14, tmp_path / "mask.png", size, window)


def test_numbers_are_in_order():
    names = [Path(f"a/{name}.png") for name in ("10", "9", "100", "2")]
    assert [path.stem for path in by_number(names)] == ["2", "9", "10", "100"]
