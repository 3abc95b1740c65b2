"""What strangers' scenes may do: be read, or be refused; no file or address that stands in them."""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio

from eosfm.core.errors import EosfmError
from eosfm.prediction.scene import ReadOptions, open_scene
from eosfm.prediction.stac import read_items
from eosfm.simulation.images import write_geotiff
from tests.faults.images import WMS, cut, encoded, other_name, raster_of, vrt
from tests.faults.lines import assert_says, line_of
from tests.faults.test_datasets import mutated

MUTATED = 3_000 if os.environ.get("EOSFM_LONG") else 300
NO_RASTER = r"cannot be read as a raster"


@dataclass(frozen=True)
class Case:
    """One way in which a scene is wrong.

    Attributes:
        name: What is broken.
        file: Name of the file.
        content: Its bytes; a function takes those of a good GeoTIFF.
        line: What the error says.
    """

    name: str
    file: str
    content: bytes | str | Callable[[bytes], bytes]
    line: str = NO_RASTER


def item(href: str, **facts: object) -> str:
    assets = {"a": {"href": href, "eo:bands": [{"common_name": "red"}]}}
    return json.dumps({"type": "Feature", "id": "x", "properties": facts, "assets": assets})


ADDRESS = "/vsicurl/http://127.0.0.1:9/a.tif"
ELSEWHERE = r"has overviews elsewhere; expected none; copy it"
NOTES = (
    f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{ADDRESS}</MDI></Metadata>'
    "</PAMDataset>"
)
REMOTE = r"has an asset at .*; expected a URL"
CASES = [
    Case("VRT of another file", "a.tif", vrt("good.tif")),
    Case("VRT of a file of the machine", "a.tif", vrt("/etc/hostname")),
    Case("VRT of an address", "a.tif", vrt("/vsicurl/http://127.0.0.1:9/a.tif")),
    Case("VRT called JPEG 2000", "a.jp2", vrt("good.tif")),
    Case("VRT called PNG", "a.png", vrt("good.tif")),
    Case("VRT in a folder", "folder/a.vrt", vrt("../good.tif"), r"folder has no raster; expected"),
    Case("VRT without an ending", "a", vrt("good.tif")),
    Case("WMS", "a.tif", WMS),
    Case("WMS called VRT", "a.vrt", WMS),
    Case("an address", "a.tif", "http://127.0.0.1:9/a.tif"),
    Case("text", "a.tif", "no image"),
    Case("nothing", "a.tif", b""),
    Case("GeoTIFF cut", "a.tif", cut(0.3), r"a.tif (cannot be read|is damaged)"),
    Case("unknown reference system, not UTF-8", "a.tif", other_name),
    Case(
        "complex numbers",
        "a.tif",
        lambda good: raster_of(np.complex64),
        r"complex numbers; expected",
    ),
    Case("overviews at an address", "a.tif", lambda good: raster_of(np.uint8, ADDRESS), ELSEWHERE),
    Case(
        "overviews in a file of the machine",
        "a.tif",
        lambda good: raster_of(np.uint8, "/etc/hostname"),
        ELSEWHERE,
    ),
    Case("overviews elsewhere, as its notes say", "good.tif.aux.xml", NOTES, ELSEWHERE),
    Case("overviews that are a VRT", "good.tif.ovr", vrt(ADDRESS), r"good.tif.ovr cannot be read"),
    Case("a mask that is a VRT", "good.tif.MSK", vrt(ADDRESS), r"good.tif.MSK cannot be read"),
    Case(
        "overviews with overviews elsewhere",
        "good.tif.ovr",
        lambda good: raster_of(np.uint8, ADDRESS),
        ELSEWHERE,
    ),
    Case("GIF called TIFF", "a.tif", encoded("GIF")),
    Case("item of a device", "a.json", item("/vsicurl/http://127.0.0.1:9/a.tif"), REMOTE),
    Case("item of an archive", "a.json", item("zip://a.zip!a.tif"), REMOTE),
    Case("item of another protocol", "a.json", item("ftp://127.0.0.1/a.tif"), REMOTE),
    Case("item of a VRT called TIFF", "a.json", item("v.tif")),
    Case("item of nothing", "a.json", item("none.tif"), r"none.tif not found; give a raster"),
    Case(
        "item of a list of dates",
        "a.json",
        item("good.tif", datetime=["x"]),
        r"is no STAC item .*; expected assets with href",
    ),
    Case("item cut", "a.json", '{"type": "Feature"', r"a.json is"),
    Case("item too deep", "a.json", "[" * 200_000, r"a.json"),
]


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    write_geotiff(tmp_path / "good.tif", np.ones((1, 32, 32), np.uint8), 10.0, (5e5, 5e6))
    (tmp_path / "v.tif").write_text(vrt("good.tif"))
    return (tmp_path / "good.tif").read_bytes()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is asked."""

    def refuse(*args: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def read(path: Path) -> np.ndarray:
    given = read_items(str(path))[0] if path.suffix == ".json" else str(path)
    reading = ReadOptions(None if path.suffix == ".json" else ("red",))
    return open_scene(given, ("red",), None, reading).read(0, 0, 32, 32)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_scenes(case: Case, good: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / case.file
    path.parent.mkdir(exist_ok=True)
    content = case.content(good) if callable(case.content) else case.content
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    given = path if path.parent == tmp_path else path.parent
    if path.name.startswith("good.tif."):  # what lies beside a scene
        given = tmp_path / "good.tif"
    assert_says(line_of(capsys, lambda: read(given)), case.line)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path, capsys):
    os.mkfifo(tmp_path / "a.tif")
    assert_says(line_of(capsys, lambda: read(tmp_path / "a.tif")), r"a.tif cannot be read .*a pipe")


def test_what_lies_beside_a_scene_is_read_where_it_is_a_geotiff(good: bytes, tmp_path: Path):
    mask = np.zeros((1, 32, 32), np.uint8)
    mask[:, :16] = 255
    write_geotiff(tmp_path / "mask.tif", mask, 10.0, (5e5, 5e6))
    with rasterio.open(tmp_path / "mask.tif", "r+") as image:
        image.update_tags(INTERNAL_MASK_FLAGS_1=2)
    (tmp_path / "mask.tif").rename(tmp_path / "good.tif.msk")
    pixels = read(tmp_path / "good.tif")
    assert (pixels[:, :16] == 1).all() and np.isnan(pixels[:, 16:]).all()


def test_mutated_scenes_are_read_or_refused_in_a_line(good: bytes, tmp_path: Path):
    """With and without names for its channels, which its colours tell otherwise."""
    rng, path = np.random.default_rng(0), tmp_path / "a.tif"
    for number in range(MUTATED):
        path.write_bytes(mutated(good, rng))
        try:
            reading = ReadOptions(("red",) if number % 2 else None)
            open_scene(str(path), ("red",), None, reading)
        except EosfmError as error:
            assert "a.tif" in str(error) and len(str(error)) < 600


def test_a_good_scene_is_read_as_a_file_a_vrt_of_ones_own_and_an_item(good, tmp_path):
    (tmp_path / "mine.vrt").write_text(vrt(str(tmp_path / "good.tif")))
    (tmp_path / "a.json").write_text(item("good.tif"))
    for name in ("good.tif", "mine.vrt", "a.json"):
        assert (read(tmp_path / name) == 1).all()


@pytest.mark.parametrize("href", ["/etc/a.tif", "../a.tif", "file:///etc/a.tif", "/vsimem/a.tif"])
def test_an_item_of_a_server_leads_to_servers_alone(href, monkeypatch, capsys):
    from eosfm.prediction import stac

    monkeypatch.setattr(stac, "_fetch", lambda url: json.loads(item(href)))
    place = "https://example.org/items/a.json"
    if href.startswith("file:"):
        assert_says(line_of(capsys, lambda: read_items(place)), REMOTE)
    else:
        assert read_items(place)[0].assets[0].href.startswith("https://example.org/")
