"""The table of tiles, written in parts."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from pyarrow import parquet

from eosfm.tiles import tables
from eosfm.tiles.layout import Tile

PIXELS = np.empty(0)


def scene(number: int, placed: bool) -> Tile:
    """A scene of four tiles, with or without georeference and date."""
    where = ("EPSG:32631", (10.0, 0.0, 5e5 + 1e4 * number, 0.0, -10.0, 5e6), ("2020-01-01",))
    place = where if placed else (None, None, ())
    return Tile("train", f"s{number}", f"s{number}.tif", 0, 0, PIXELS, PIXELS, *place)


def write(path: Path, scenes: list[Tile]) -> Path:
    corners = [(row, col) for row in (0, 64) for col in (0, 64)]
    tiles = [(one, corner) for one in scenes for corner in corners]
    numbers = np.array([[row, col, 64, 64, 1.0] for _, (row, col) in tiles])
    ids = [f"{one.scene}:{row}:{col}" for one, (row, col) in tiles]
    tables.write_tiles(path, ids, [one for one, _ in tiles], numbers)
    return path


@pytest.mark.parametrize("placed", [True, False])
def test_the_bytes_do_not_depend_on_how_many_rows_are_made_at_a_time(placed, tmp_path, monkeypatch):
    scenes = [scene(number, placed) for number in range(5)]
    whole = write(tmp_path / "whole.parquet", scenes).read_bytes()
    monkeypatch.setattr(tables, "ROWS", 3)
    assert write(tmp_path / "parts.parquet", scenes).read_bytes() == whole


def test_scenes_without_place_and_date_stand_beside_others(tmp_path, monkeypatch):
    scenes = [scene(number, placed=number in (2, 3)) for number in range(5)]
    whole = geopandas.read_parquet(write(tmp_path / "whole.parquet", scenes))
    monkeypatch.setattr(tables, "ROWS", 4)
    path = write(tmp_path / "parts.parquet", scenes)
    parts = geopandas.read_parquet(path)
    assert_frame_equal(parts, whole)
    assert list(parts.geometry.notna()) == 8 * [False] + 8 * [True] + 4 * [False]
    assert [list(dates) for dates in parts.dates[7:9]] == [[], ["2020-01-01"]]
    facts = json.loads(parquet.read_schema(path).metadata[b"geo"])["columns"]["geometry"]
    assert facts["geometry_types"] == ["Polygon"]
    assert facts["bbox"] == pytest.approx(parts.total_bounds.tolist())
