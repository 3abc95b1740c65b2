"""The tables beside the shards: where each tile lies (GeoParquet) and detection boxes."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.tiles.layout import BOX_COLUMNS, Tile

ROWS = 1024
"""Tiles that become rows at a time: as Python's objects each takes some 2 KB."""


def write_tiles(
    path: Path, ids: Sequence[str], scenes: Sequence[Tile], numbers: np.ndarray
) -> None:
    """Write one row per tile, footprints in EPSG:4326 (none for scenes without georeference).

    Args:
        path: The file.
        ids: Tile ids.
        scenes: Provenance of each tile's scene.
        numbers: (N, 5) row, col, height, width and share of valid pixels.
    """
    import pyarrow
    from pyarrow import parquet

    slices = (slice(start, start + ROWS) for start in range(0, len(ids), ROWS))
    parts = [_rows(ids[part], scenes[part], numbers[part]) for part in slices]
    table = pyarrow.concat_tables(parts, promote_options="permissive")
    facts = {**parts[0].schema.metadata, b"geo": _geometry_facts(parts)}
    # Parquet calls the items of a list otherwise than Arrow does.
    dates = table["dates"].cast(pyarrow.list_(table["dates"].type.value_type))
    table = table.set_column(table.column_names.index("dates"), "dates", dates)
    parquet.write_table(table.replace_schema_metadata(facts), path, compression="snappy")


def _rows(ids: Sequence[str], scenes: Sequence[Tile], numbers: np.ndarray) -> Any:
    """Some rows as an Arrow table of GeoParquet's."""
    import geopandas
    from pyarrow import parquet

    rows, cols, heights, widths = numbers[:, :4].astype(np.int32).T
    frame = geopandas.GeoDataFrame(
        {
            "id": ids,
            "scene": [scene.scene for scene in scenes],
            "source": [scene.source for scene in scenes],
            "row": rows,
            "col": cols,
            "height": heights,
            "width": widths,
            "crs": np.array([scene.crs for scene in scenes], object),
            "dates": [list(scene.dates) for scene in scenes],
            "valid": numbers[:, 4],
        },
        geometry=footprints(scenes, numbers),
        crs="EPSG:4326",
    )
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return parquet.read_table(file)


def _geometry_facts(parts: Sequence[Any]) -> bytes:
    """GeoParquet metadata of several parts of a table: their geometry types and bounding box."""
    facts = [json.loads(part.schema.metadata[b"geo"]) for part in parts]
    columns = [one["columns"]["geometry"] for one in facts]
    kinds = {kind for one in columns for kind in one["geometry_types"]}
    columns[0]["geometry_types"] = sorted(kinds)
    if bounds := [one["bbox"] for one in columns if "bbox" in one]:
        low, high = np.min(bounds, axis=0)[:2], np.max(bounds, axis=0)[2:]
        columns[0]["bbox"] = [*low.tolist(), *high.tolist()]
    return json.dumps(facts[0]).encode()


def footprints(scenes: Sequence[Tile], numbers: np.ndarray) -> np.ndarray:
    """Each tile's outline as a polygon in longitude and latitude; None without georeference.

    Raises:
        EosfmError: A footprint lies outside its CRS.
    """
    import shapely
    from pyproj import Transformer

    result = np.full(len(scenes), None, object)
    by_crs: dict[str, list[int]] = {}
    for index, scene in enumerate(scenes):
        if scene.crs is not None and scene.transform is not None:
            by_crs.setdefault(scene.crs, []).append(index)
    for crs, members in by_crs.items():
        row, col, height, width = numbers[members, :4].T
        a, b, c, d, e, f = np.array([scenes[index].transform for index in members]).T
        x = np.stack([col, col + width, col + width, col], axis=1)
        y = np.stack([row, row, row + height, row + height], axis=1)
        east = a[:, None] * x + b[:, None] * y + c[:, None]
        north = d[:, None] * x + e[:, None] * y + f[:, None]
        lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(east, north)
        corners = np.stack([lon, lat], axis=-1)
        if not np.isfinite(corners).all():
            wrong = members[int(np.argmin(np.isfinite(corners).all(axis=(1, 2))))]
            raise EosfmError(
                f"scene {scenes[wrong].scene} lies outside {crs}; expected a transform in that "
                "CRS; check its georeference"
            )
        result[members] = shapely.polygons(corners)
    return result


def write_boxes(path: Path, boxes: Sequence[np.ndarray]) -> None:
    """Write the boxes of all tiles, each (n, 5), with the number of their tile."""
    import pyarrow
    from pyarrow import parquet

    values = np.concatenate(boxes)
    table = {"tile": np.repeat(np.arange(len(boxes)), [len(group) for group in boxes])}
    table |= {name: values[:, column] for column, name in enumerate(BOX_COLUMNS)}
    parquet.write_table(pyarrow.table(table), path)


def read_boxes(path: Path, tiles: int) -> list[np.ndarray]:
    """Read boxes back as one (n, 5) float32 array per tile."""
    from pyarrow import parquet

    table = parquet.read_table(path)
    values = np.stack([table[name].to_numpy() for name in BOX_COLUMNS], axis=1)
    starts = np.searchsorted(table["tile"].to_numpy(), np.arange(1, tiles))
    return np.split(values.astype(np.float32), starts)
