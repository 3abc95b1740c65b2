"""Cloud Optimized GeoTIFFs, written strip by strip and whole or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.heads.pictures import class_palette
from eosfm.prediction.grid import Grid
from eosfm.prediction.rows import Arrays, Rows

BLOCK = 512
CACHE_MB = 256
"""GDAL's memory for blocks of all open files; its own choice grows with the machine's memory."""

REST = ("no ", "not ", "background", "unlabelled")
"""What the name of a first class begins with that is the rest of the world."""
PALE = (240, 240, 235)

Colour = tuple[int, int, int, int]


def bounded_cache() -> AbstractContextManager[Any]:
    """A bound on GDAL's memory while files are read or written, from the first of them on."""
    import rasterio

    env: AbstractContextManager[Any] = rasterio.Env(GDAL_CACHEMAX=CACHE_MB)
    return env


@contextmanager
def writing(
    path: Path, grid: Grid, dtype: str, nodata: float | None, names: Sequence[str],
    resampling: str, **options: Any,
) -> Iterator[Any]:  # fmt: skip
    """Give an open raster to write strips and metadata to; at the end it becomes a COG.

    GDAL makes a COG of a finished raster alone, so the strips go to a plain file first.

    Args:
        path: The file to be.
        grid: Where its pixels lie.
        dtype: Of its values.
        nodata: The value without an answer.
        names: Of its bands.
        resampling: How overviews are made, as GDAL names it.
        options: Of GDAL's GeoTIFF driver.

    Raises:
        EosfmError: GDAL cannot write it, as on a full disk.
    """
    import rasterio
    from rasterio import shutil
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    place: dict[str, Any] = {"crs": grid.crs} if grid.crs else {}
    if not grid.transform.is_identity:
        place["transform"] = grid.transform
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer"}
    with atomic(path) as beside:
        plain = beside.with_name(beside.name.removesuffix(".part") + "-strips.part")
        try:
            with rasterio.open(
                plain, "w", driver="GTiff", height=grid.height, width=grid.width, count=len(names),
                dtype=dtype, nodata=nodata, compress="deflate", zlevel=1, interleave="band",
                **place, **layout, **options,
            ) as raster:  # fmt: skip
                raster.descriptions = names
                yield raster
            shutil.copy(
                plain, beside, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE=BLOCK,
                OVERVIEW_RESAMPLING=resampling, BIGTIFF="IF_SAFER", **options,
            )  # fmt: skip
            _read_through(beside)
        except (RasterioError, CPLE_BaseError) as error:  # GDAL does not say what the system said
            raise EosfmError(
                f"{path} cannot be used (not written whole, as on a full disk: {error}); make room "
                "there, and run again"
            ) from None
        finally:
            plain.unlink(missing_ok=True)
    path.with_name(f"{path.name}.aux.xml").unlink(missing_ok=True)  # notes on a former file


def _read_through(path: Path) -> None:
    """Read every block, of which each has a checksum: GDAL is silent on a disk that ends at last.

    Raises:
        RasterioError: A block is cut.
    """
    import rasterio

    with rasterio.open(path) as whole:
        levels = range(-1, len(whole.overviews(1)))
    for level in levels:
        with rasterio.open(path, **({"overview_level": level} if level >= 0 else {})) as raster:
            for _, window in raster.block_windows(1):
                raster.read(window=window)


def written(raster: Any, rows: Rows) -> Iterator[Arrays]:
    """Write kept rows of ``values`` (K, n, W) and ``unknown`` (n, W) into an open raster.

    Yields:
        Each of them, for what is to be said of the whole.
    """
    from rasterio.windows import Window

    row = 0
    for kept in rows.read():
        _, height, width = kept["values"].shape
        raster.write(kept["values"], window=Window(0, row, width, height))
        row += height
        yield kept


def write_categories(path: Path, classes: Sequence[str]) -> None:
    """Name the values of a map's only band, in the file beside it that GDAL keeps them in."""
    lines = [f"   <Category>{escape(name)}</Category>" for name in classes]
    text = "\n".join(
        ["<PAMDataset>", ' <PAMRasterBand band="1">', "  <CategoryNames>", *lines,
         "  </CategoryNames>", " </PAMRasterBand>", "</PAMDataset>", ""]
    )  # fmt: skip
    with atomic(path.with_name(f"{path.name}.aux.xml")) as beside:
        beside.write_text(text)


def class_colours(classes: Sequence[str]) -> dict[int, Colour]:
    """A colour per class, in the form that rasterio writes: those of the report's pictures.

    But water has the blue one, and a first class that is the rest of the world is pale.
    """
    rgb = (255 * class_palette(len(classes))).round().astype(int).tolist()
    if "water" in classes:
        water = classes.index("water")
        rgb[0], rgb[water] = rgb[water], rgb[0]
    if classes[0].startswith(REST):
        rgb[0] = PALE
    return {k: (r, g, b, 255) for k, (r, g, b) in enumerate(rgb)}
