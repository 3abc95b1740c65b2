"""Names that moved to :mod:`eosfm.datasets.readers.raster`."""

from eosfm.datasets.readers.raster import png_size, read_png, write_jpeg, write_png

__all__ = ["png_size", "read_png", "write_jpeg", "write_png"]
