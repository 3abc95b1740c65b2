"""Images that are not what they seem."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from rasterio.io import MemoryFile

SIZE = (32, 32)


def raster_of(dtype: type, overviews: str = "") -> bytes:
    """A GeoTIFF of ones, which may say that its overviews are elsewhere."""
    options = {"driver": "GTiff", "count": 1, "height": 32, "width": 32, "dtype": dtype}
    with MemoryFile() as file:
        with file.open(**options) as image:
            image.write(np.ones((1, *SIZE), dtype))
            if overviews:
                image.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=overviews)
        return bytes(file.read())


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda good: good[: int(share * len(good))]


def other_name(good: bytes) -> bytes:
    """A GeoTIFF whose reference system is in no table, and has a name that is not in UTF-8."""
    unknown = good.replace((32633).to_bytes(2, "little"), b"\x79\xd2")
    return unknown.replace(b"WGS 84 / UTM", b"WGS \xcf4 / UTM")


def png(width: int, height: int, depth: int = 8, pixels: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def cut_png(share: float) -> bytes:
    noise = np.random.default_rng(0).bytes(32 * 33)
    good = png(*SIZE, pixels=noise)
    return good[: int(share * len(good))]


def encoded(kind: str, mode: str = "L", size: tuple[int, int] = SIZE) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


def wide(good: bytes) -> bytes:
    """A TIFF whose header says that it is 4 billion pixels wide (tag 256)."""
    at = good.index(struct.pack("<HHI", 256, 3, 1))
    return good[:at] + struct.pack("<HHII", 256, 4, 1, 2**31 - 1) + good[at + 12 :]


def vrt(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="32" rasterYSize="32"><VRTRasterBand dataType="UInt16" band="1">'
        f"<SimpleSource><SourceFilename>{source}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )


WMS = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/${x}</ServerUrl></Service>'
    "<DataWindow><SizeX>32</SizeX><SizeY>32</SizeY></DataWindow></GDAL_WMS>"
)
