"""What may be wrong with a dataset's own files: refused in a line that names the file.

Each case damages a good copy of an image, a mask, a list, a table or labels. Nothing outside of the
copy is opened, whatever a file says, and no file is lost.
"""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from shapely import from_wkt

from eosfm.datasets import dior, oscd, pastis, sen1floods11, xview2
from eosfm.datasets.native import listing, raster
from eosfm.datasets.native.gdal import open_raster
from eosfm.datasets.native.labels import draw_polygons, read_colors
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_geotiff
from tests.faults.images import (
    SIZE,
    WMS,
    cut,
    cut_png,
    encoded,
    other_name,
    png,
    raster_of,
    vrt,
    wide,
)  # fmt: skip
from tests.faults.lines import assert_says, line_of

WINDOW = Window(0, 0, *SIZE)
GREY = np.arange(32 * 32, dtype=np.uint16).reshape(1, 32, 32)
RED = {(255, 0, 0): 0}


@dataclass(frozen=True)
class Case:
    """One way in which a file is wrong.

    Attributes:
        name: What is broken.
        file: Name of the file, which says how it is read.
        content: Its bytes; a function takes those of a good one.
        line: What the error says.
        read: How it is read, where its name does not say.
    """

    name: str
    file: str
    content: bytes | str | Callable[[bytes], bytes]
    line: str
    read: Callable[[Path], object] | None = None


CORNERS = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox>"
SAID = "<size><width>32</width><height>32</height></size>"
WHALE = f"<annotation>{SAID}<object><name>whale</name>{CORNERS}</object></annotation>"
TENFOLD = (f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
BOMB = f'<!DOCTYPE a [<!ENTITY e0 "aaaaaaaaaa">{"".join(TENFOLD)}]><a>&e11;</a>'
ELSEWHERE = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>'
DEEP = "[" * 200_000


def damaged(shape: str, subtype: str) -> str:
    feature = {"wkt": shape, "properties": {"subtype": subtype}}
    return json.dumps({"features": {"xy": [feature]}})


def names(path: Path) -> object:
    return list(listing.read_lists({"train": path}, r"[a-z]+\d", "a name a line"))


def rows(path: Path) -> object:
    return list(listing.read_rows(path, ("id", "file")))


def colors(path: Path) -> object:
    return read_colors(RED, 0, path, SIZE, WINDOW)


def polygons(path: Path) -> object:
    return draw_polygons([from_wkt(path.read_text())], [1], WINDOW, path)


def damages(path: Path) -> object:
    return xview2.read_polygons(path, SIZE, WINDOW)


def boxes(path: Path) -> object:
    return dior.read_boxes(path, SIZE, WINDOW)


TEXT, TABLE = r"cannot be read as text", "id,file\n1,a.tif\n"
CASES = [
    # GeoTIFF and JPEG 2000: what GDAL would open
    Case("text", "a.tif", "no image", r"cannot be read as a raster"),
    Case("nothing", "a.tif", b"", r"cannot be read as a raster"),
    Case("web page", "a.tif", "<!DOCTYPE html><title>404</title>", r"cannot be read as a raster"),
    Case("VRT of another file", "a.tif", vrt("/etc/hostname"), r"cannot be read as a raster"),
    Case(
        "VRT of an address", "a.tif", vrt("/vsicurl/http://127.0.0.1:9/a"), r"cannot be read as a r"
    ),
    Case("VRT called JPEG 2000", "a.jp2", vrt("good.tif"), r"cannot be read as a raster"),
    Case("WMS", "a.tif", WMS, r"cannot be read as a raster"),
    Case("WMS in capitals", "A.TIF", WMS, r"cannot be read as a raster"),
    Case("an address", "a.tif", "http://127.0.0.1:9/a.tif", r"cannot be read as a raster"),
    Case("another ending", "a.vrt", vrt("good.tif"), r"has another ending; expected .tif"),
    Case("no ending", "a", lambda good: good, r"has another ending"),
    Case("PNG called TIFF", "a.tif", encoded("PNG"), r"cannot be read as a raster"),
    Case(
        "HDF called TIFF", "a.tif", b"\x89HDF\r\n\x1a\n" + bytes(99), r"cannot be read as a raster"
    ),
    Case("header alone", "a.tif", lambda good: good[:8], r"a.tif"),
    Case("unknown reference system, not UTF-8", "a.tif", other_name, r"cannot be read as a raster"),
    Case("cut in the middle", "a.tif", cut(0.5), r"a.tif.* (damaged|raster)"),
    Case("last bytes missing", "a.tif", cut(0.97), r"a.tif.* (damaged|raster)"),
    Case("2 billion pixels wide", "a.tif", wide, r"2147483647|raster|damaged"),
    Case(
        "other bands",
        "a.tif",
        lambda good: good,
        r"1 band\(s\) of 32x32",
        lambda path: raster.read_bands(path, WINDOW, 3, SIZE),
    ),
    Case(
        "other size",
        "a.tif",
        lambda good: good,
        r"expected 1 of 64x32",
        lambda path: raster.read_bands(path, WINDOW, 1, (64, 32)),
    ),
    Case(
        "other type",
        "a.tif",
        lambda good: good,
        r"1 band\(s\) of uint16; expected 1 of uint8",
        lambda path: raster.read_header(path, 1, "uint8"),
    ),
    Case(
        "complex numbers",
        "a.tif",
        lambda good: raster_of(np.complex64),
        r"complex numbers; expected",
    ),
    # PNG and JPEG
    Case("text called PNG", "a.png", "no image", r"cannot be read as an image"),
    Case("empty PNG", "a.png", b"", r"cannot be read as an image"),
    Case("PNG cut", "a.png", cut_png(0.3), r"cannot be read as an image"),
    Case("PNG without its end", "a.png", cut_png(0.9), r"cannot be read as an image"),
    Case("JPEG cut", "a.jpg", lambda good: encoded("JPEG")[:300], r"cannot be read as an image"),
    Case(
        "16-bit PNG", "a.png", png(32, 32, 16, bytes(32 * 65)), r"16 bits per sample, .* to GeoTIFF"
    ),
    Case("16-bit PNG in capitals", "A.PNG", png(32, 32, 16, bytes(32 * 65)), r"16 bits per sample"),
    Case(
        "PNG of billions of pixels", "a.png", png(2**31 - 1, 2**31 - 1), r"cannot be read|at most"
    ),
    Case("PNG bomb", "a.png", png(20_000, 20_000), r"cannot be read as an image \(.*bomb"),
    Case("PNG without rows", "a.png", png(0, 0), r"cannot be read as an image|0x0"),
    Case(
        "PNG of another size",
        "a.png",
        encoded("PNG", size=(8, 32)),
        r"has 1 band\(s\) of 32x8 px; expected 1 of 32x32",
    ),
    Case("TIFF called PNG", "a.png", lambda good: good, r"cannot be read as an image"),
    Case(
        "EPS called PNG",
        "a.png",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        r"cannot be read as an image",
    ),
    Case("GIF called JPEG", "a.jpg", encoded("GIF"), r"cannot be read as an image"),
    # Masks
    Case(
        "colour of no class",
        "a.png",
        encoded("PNG", "RGB"),
        r"colour \(0, 0, 0\) at row 0.*no class",
        colors,
    ),
    Case(
        "mask of another size",
        "a.png",
        encoded("PNG", "RGB", (16, 32)),
        r"of 32x16 px; expected 3 of 32x32",
        colors,
    ),
    # Lists and tables
    Case("list in another alphabet", "a.txt", b"\xff\xfea\x001\x00", TEXT, names),
    Case(
        "list that is a web page",
        "a.txt",
        "<html>",
        r"found '<html>'; expected a name a line",
        names,
    ),
    Case("list with a path", "a.txt", "../../etc/passwd", r"expected a name a line", names),
    Case("name twice", "a.txt", "a1\na1\n", r"names a1, which a.txt names too", names),
    Case(
        "table that is a web page",
        "a.csv",
        "<html>",
        r"has the columns <html>; expected id, file",
        rows,
    ),
    Case("empty table", "a.csv", b"", r"has the columns ; expected id, file", rows),
    Case("table of bytes", "a.csv", b"\x80\x81", TEXT, rows),
    Case("table cut", "a.csv", TABLE + "2", r"has no file in line 3", rows),
    Case(
        "cell of megabytes",
        "a.csv",
        TABLE + "2," + "a" * 200_000,
        r"is no table \(field larger",
        rows,
    ),
    Case(
        "table out of its folder",
        "a.csv",
        TABLE + "2,../../etc/passwd\n",
        r"leads out of the dataset",
        rows,
    ),
    Case(
        "table to the root", "a.csv", TABLE + "2,/etc/passwd\n", r"leads out of the dataset", rows
    ),
    # Labels and metadata
    Case(
        "dates of no date",
        "dates.txt",
        "date_1: 2016\n",
        r"expected two lines such as",
        oscd._dates,
    ),
    Case("dates of bytes", "dates.txt", b"\xff", TEXT, oscd._dates),
    Case("JSON cut", "a.json", '{"features": [', r"is not the file expected", sen1floods11._dates),
    Case("JSON of nothing", "a.json", "null", r"is not the file expected", sen1floods11._dates),
    Case(
        "JSON too deep",
        "a.json",
        DEEP,
        r"is not the file expected \(RecursionError",
        sen1floods11._dates,
    ),
    Case(
        "JSON of other keys",
        "a.json",
        '{"features": [{"properties": {}}]}',
        r"KeyError",
        sen1floods11._dates,
    ),
    Case(
        "damage of no kind",
        "a.json",
        damaged("POLYGON ((0 0, 9 0, 9 9, 0 0))", "burnt"),
        r"unknown damage 'burnt'",
        damages,
    ),
    Case(
        "no polygon", "a.json", damaged("POLY", "destroyed"), r"is not the file expected", damages
    ),
    Case("a point", "a.wkt", "POINT (1 1)", r"has a Point that covers no pixel", polygons),
    Case(
        "an empty polygon",
        "a.wkt",
        "POLYGON EMPTY",
        r"has a Polygon that covers no pixel",
        polygons,
    ),
    Case(
        "a polygon to infinity",
        "a.wkt",
        "POLYGON ((0 0, inf 0, 9 9, 0 0))",
        r"covers no pixel",
        polygons,
    ),
    Case(
        "XML cut", "a.xml", "<annotation><object>", r"is not the file expected \(ParseError", boxes
    ),
    Case("XML that is a web page", "a.xml", "<p>later<br></p>", r"ParseError", boxes),
    Case(
        "box without corners",
        "a.xml",
        f"<annotation>{SAID}<object><name>ship</name></object></annotation>",
        r"ValueError",
        boxes,
    ),
    Case("a page that is XML", "a.xml", "<html><body/></html>", r"ValueError\('<html>'", boxes),
    Case(
        "labels of another image",
        "a.xml",
        f"<annotation>{SAID.replace('32', '64')}</annotation>",
        r"height 64 where its image has 32",
        boxes,
    ),
    Case("box of no class", "a.xml", WHALE, r"unknown class 'whale'", boxes),
    Case("XML bomb", "a.xml", BOMB, r"ParseError.*amplification", boxes),
    Case("XML of another file", "a.xml", ELSEWHERE, r"ParseError", boxes),
    Case(
        "metadata of nothing",
        f"{pastis.FOLDER}/{pastis.METADATA}",
        "{}",
        r"is not the file expected",
        lambda path: list(pastis.scenes(path.parents[1])),
    ),
]


def by_name(path: Path) -> np.ndarray:
    """Header and pixels, as a scene is read."""
    raster.read_header(path, 1, None)
    return raster.read_bands(path, WINDOW, 1, SIZE)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.tif"
    write_geotiff(path, GREY, 10.0, (500_000.0, 5_000_000.0))
    return path


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is asked."""

    def refuse(*args: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_native_files(case: Case, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "copy" / case.file
    path.parent.mkdir(parents=True)
    content = case.content
    if callable(content):
        content = content(good.read_bytes())
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    before = path.read_bytes()
    line = line_of(capsys, lambda: (case.read or by_name)(path))
    assert_says(line, case.line)
    assert path.name in line and path.read_bytes() == before


def test_there_are_many():
    assert len(CASES) >= 60 and len({case.name for case in CASES}) == len(CASES)


def test_a_good_file_is_read(good: Path):
    assert (by_name(good) == GREY).all()


def test_a_file_beside_an_image_is_not_opened(good: Path):
    """An overview or a mask of another format would be, and what stands in it too."""
    (good.parent / "good.tif.ovr").write_text(vrt("/etc/hostname"))
    (good.parent / "good.tif.msk").write_text(vrt("/etc/hostname"))
    assert (by_name(good) == GREY).all()
    with open_raster(good) as opened:
        assert opened.files == [str(good)] and opened.overviews(1) == []
