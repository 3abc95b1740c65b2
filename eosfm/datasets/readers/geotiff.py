"""Names that moved to :mod:`eosfm.datasets.readers.raster`."""

from eosfm.datasets.readers.raster import (
    Header,
    read_bands,
    read_header,
    write_geotiff,
    write_tiff,
)

__all__ = ["Header", "read_bands", "read_header", "write_geotiff", "write_tiff"]
