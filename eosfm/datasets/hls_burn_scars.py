"""HLS Burn Scars: perimeters of wildfires in Harmonized Landsat Sentinel-2 scenes at 30 m.

Perimeters of the Monitoring Trends in Burn Severity programme over the contiguous United States,
2018 to 2021.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.splits import Split
from eosfm.datasets.native.holdout import divide
from eosfm.datasets.native.listing import listed, matching, pair_all, parse
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source
from eosfm.datasets.native.values import from_reflectance, numbers

NAME = "hls_burn_scars"
BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")
FOLDERS: dict[Split, str] = {"train": "training", "val": "training", "test": "validation"}
PREFIX, IMAGE, MASK = "subsetted_512x512_HLS.S30.", "_merged.tif", ".mask.tif"
split_of = partial(divide, NAME, "validation", 0.12)
"""The split of a Sentinel-2 tile of one of the published folders."""
FILLS = (9999.0, -9999.0, -0.9999)
"""What the scenes hold where nothing was measured; the last is -9999 scaled as reflectance is."""
SCARS = numbers(-1, 1, "-1 (missing), 0 (not burned), 1 (burn scar)", np.int16)


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the scenes of both folders; ``training`` gives up some tiles for validation.

    The published validation folder is the test split, as in PANGAEA. Reflectance is multiplied by
    10,000; what was not measured is NaN.
    """
    expected = f"scenes such as {PREFIX}T10SEH.2018245.v1.4{IMAGE}"
    for folder in dict.fromkeys(FOLDERS.values()):
        images = listed(root / folder, f"*{IMAGE}", expected)
        for path in images:
            name = path.name.removeprefix(PREFIX).removesuffix(IMAGE)
            pattern = r"(T\d\d[A-Z]{3})\.(\d{4})(\d{3})\.v1\.4"
            tile, year, day = parse(pattern, name, path, expected).groups()
            image = Part(path, len(BANDS), _reflectance)
            mask = Part(path.with_name(PREFIX + name + MASK), prepare=SCARS)
            seen = date(int(year), 1, 1) + timedelta(int(day) - 1)
            split = split_of(folder, tile)
            yield raster_scene(f"{folder}/{name}", split, [image], mask, dates=[str(seen)])
        names = {path.name.removesuffix(IMAGE) for path in images}
        pair_all(names, matching(root / folder, f"*{MASK}"), MASK)


def _reflectance(pixels: np.ndarray, path: Path) -> np.ndarray:
    pixels = pixels.astype(np.float32)
    pixels[np.isin(pixels, np.array(FILLS, np.float32))] = np.nan
    return from_reflectance(pixels, path)


DATASET = Dataset(
    name=NAME,
    title="HLS Burn Scars",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="float32",
    classes=("not burned", "burn scar"),
    gsd=30.0,
    source=Source(
        homepage="https://huggingface.co/datasets/ibm-nasa-geospatial/hls_burn_scars",
        licence="CC BY 4.0",
        commercial=True,
        citation="Phillips et al., IBM NASA Geospatial: HLS Foundation Burnscars Dataset, 2023, "
        "doi 10.57967/hf/0956",
        size_gb=2.65,
        archives=(
            Archive(
                url="https://huggingface.co/datasets/ibm-nasa-geospatial/hls_burn_scars/resolve/"
                "f29f6c92f6dc896313ed7b43e52a78ce6f37e07d/hls_burn_scars.tar.gz",
                filename="hls_burn_scars.tar.gz",
            ),
        ),
    ),
    reader=scenes,
    published={"train val": 540, "test": 264},
    split_rule="the published validation folder is the test split; about an eighth of the "
    "Sentinel-2 tiles of the training folder validate, drawn by the tile's name",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Burn scars in scenes of 512 x 512 pixels; missing data (-1) is not scored."""
