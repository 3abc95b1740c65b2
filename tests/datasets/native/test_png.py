"""8-bit PNG images."""

import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eosfm.core.errors import EosfmError
from eosfm.datasets.native import png
from eosfm.datasets.native.png import png_size, read_png
from eosfm.datasets.native.scenes import Part
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_png

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 19), st.integers(0, 29), st.integers(1, 20), st.integers(1, 30))
def test_window_is_a_slice(tmp_path_factory, row: int, col: int, height: int, width: int):
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_png(path, IMAGE)
    found = read_png(path, Window(row, col, height, width))
    np.testing.assert_array_equal(found, IMAGE[:, row : row + height, col : col + width])


def test_threads_that_want_the_same_image_decode_it_once(tmp_path: Path, monkeypatch):
    write_png(tmp_path / "a.png", IMAGE)
    decoded, decode = [], png._decode_png

    def slow(path: Path) -> np.ndarray:
        decoded.append(path)
        time.sleep(0.05)
        return decode(path)

    monkeypatch.setattr(png, "_decode_png", slow)
    windows = [Window(row, 0, 1, 30) for row in range(8)]
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda window: read_png(tmp_path / "a.png", window), windows))
    np.testing.assert_array_equal(np.concatenate(rows, 1), IMAGE[:, :8])
    assert len(decoded) == 1


def test_single_band_and_size(tmp_path: Path):
    write_png(tmp_path / "a.png", IMAGE[0])
    assert png_size(tmp_path / "a.png") == (20, 30)
    found = read_png(tmp_path / "a.png", Window(0, 0, 20, 30), mode="L")
    np.testing.assert_array_equal(found, IMAGE[0])


@pytest.mark.parametrize(("mode", "classes"), [("P", 4), ("1", 2)])
def test_a_mask_gives_its_numbers_not_how_they_are_shown(tmp_path: Path, mode: str, classes: int):
    mask = IMAGE[0] % classes
    image = Image.fromarray(mask if mode == "P" else mask.astype(bool))
    if mode == "P":
        image.putpalette([200, 10, 10, 0, 0, 0, 10, 200, 10, 255, 255, 255])
    assert image.mode == mode
    image.save(tmp_path / "a.png")
    part, whole = Part(tmp_path / "a.png"), (20, 30)
    np.testing.assert_array_equal(part.target(whole, Window(2, 3, 10, 20)), mask[2:12, 3:23])
    shown = part.read(whole, Window(2, 3, 10, 20))[0]
    np.testing.assert_array_equal(shown, np.asarray(image.convert("L"))[2:12, 3:23])


@pytest.mark.parametrize("bits", [2, 4])
def test_numbers_of_few_bits_are_not_spread_over_eight(tmp_path: Path, bits: int):
    mask = IMAGE[0] % 2**bits
    write_png(tmp_path / "wide.png", mask)
    rasterio.shutil.copy(tmp_path / "wide.png", tmp_path / "a.png", driver="PNG", NBITS=bits)
    assert (tmp_path / "a.png").read_bytes()[24] == bits
    part, whole = Part(tmp_path / "a.png"), (20, 30)
    np.testing.assert_array_equal(part.target(whole, Window(2, 3, 10, 20)), mask[2:12, 3:23])


def test_rewritten_file_is_read_again(tmp_path: Path):
    whole = Window(0, 0, 20, 30)
    write_png(tmp_path / "a.png", IMAGE)
    read_png(tmp_path / "a.png", whole)
    write_png(tmp_path / "a.png", np.zeros_like(IMAGE))
    assert not read_png(tmp_path / "a.png", whole).any()


def test_a_file_that_lost_bytes_in_its_middle_is_refused(tmp_path: Path):
    write_png(tmp_path / "a.png", IMAGE)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:600] + content[700:])
    with pytest.raises(EosfmError, match=r"a.png cannot be read as an image"):
        read_png(tmp_path / "a.png", Window(0, 0, 20, 30))


def test_grey_of_two_bits_becomes_grey_of_eight(tmp_path: Path):
    def part(name: bytes, content: bytes) -> bytes:
        whole = name + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = part(b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0))
    row = part(b"IDAT", zlib.compress(bytes([0, 0b00_01_10_11])))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + row + part(b"IEND", b""))
    found = read_png(tmp_path / "a.png", Window(0, 0, 1, 4), mode="L")
    assert found.tolist() == [[0, 85, 170, 255]]


def test_bad_files_are_one_line(tmp_path: Path):
    write_png(tmp_path / "cut.png", IMAGE)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    (tmp_path / "page.png").write_text("<html>")
    for name in ("cut.png", "page.png", "absent.png"):
        with pytest.raises(EosfmError, match=rf"{name} cannot be read as an image"):
            read_png(tmp_path / name, Window(0, 0, 2, 2))
    with pytest.raises(EosfmError, match="absent"):
        png_size(tmp_path / "absent.png")


def test_a_mask_of_three_channels_has_one_number_for_each_pixel(tmp_path: Path):
    grey = np.broadcast_to(np.arange(6, dtype=np.uint8).reshape(2, 3), (3, 2, 3))
    window, size = Window(0, 0, 2, 3), (2, 3)
    write_png(tmp_path / "grey.png", grey)
    assert Part(tmp_path / "grey.png").target(size, window).tolist() == grey[0].tolist()
    red = grey.copy()
    red[1:] = 0
    write_png(tmp_path / "red.png", red)
    with pytest.raises(EosfmError, match="three channels that differ; expected a number for each"):
        Part(tmp_path / "red.png").target(size, window)


def test_four_bands_of_a_png_are_refused(tmp_path: Path):
    Image.fromarray(np.zeros((4, 4, 4), np.uint8), "RGBA").save(tmp_path / "a.png")
    part = Part(tmp_path / "a.png", 4)
    for read in (part.header, lambda: part.read((4, 4), Window(0, 0, 4, 4))):
        with pytest.raises(EosfmError, match="is to have 4 bands; expected 1 or 3"):
            read()
