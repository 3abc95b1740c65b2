"""Sentinel-2's pixel sizes."""

STEP = {
    "B01": 6, "B02": 1, "B03": 1, "B04": 1, "B05": 2, "B06": 2, "B07": 2, "B08": 1, "B8A": 2,
    "B09": 6, "B10": 6, "B11": 2, "B12": 2,
}  # fmt: skip
"""Pixel size of each band as a multiple of 10 m (ESA Sentinel-2 MSI user guide)."""
