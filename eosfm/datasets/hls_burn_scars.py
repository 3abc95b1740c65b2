"""HLS Burn Scars: perimeters of wildfires in Harmonized Landsat Sentinel-2 scenes at 30 m.

IBM NASA Geospatial 2023, doi 10.57967/hf/0956; perimeters of the Monitoring Trends in Burn
Severity programme over the contiguous United States, 2018 to 2021.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.holdout import rank
from eosfm.datasets.readers.layout import require
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

NAME = "hls_burn_scars"
BANDS = ("B02", "B03", "B04", "B8A", "B11", "B12")
FOLDERS: dict[Split, str] = {"train": "training", "val": "training", "test": "validation"}
PREFIX, IMAGE, MASK = "subsetted_512x512_HLS.S30.", "_merged.tif", ".mask.tif"
IMAGE_NAME = re.compile(
    rf"{re.escape(PREFIX)}(T\d\d[A-Z]{{3}})\.(\d{{4}})(\d{{3}})\.v1\.4{re.escape(IMAGE)}"
)
VALIDATE = 0.12
"""Share of the training folder's Sentinel-2 tiles that validate."""
FILLS = (9999.0, -9999.0, -0.9999)
"""What the scenes hold where nothing was measured; the last is -9999 scaled as reflectance is."""
HIGHEST = 16.0
"""Above any reflectance: such a file holds other units."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the scenes of both folders; ``training`` gives up some tiles for validation.

    The published validation folder is the test split, as in PANGAEA. Reflectance is multiplied by
    10,000; what was not measured is NaN.

    Raises:
        EosfmError: A folder is missing or empty, a file is missing, damaged or of another layout.
    """
    for folder in dict.fromkeys(FOLDERS.values()):
        path = require(root / folder, NAME, f"scenes named {PREFIX}<tile>.<date>.v1.4{IMAGE}")
        images = sorted(path.glob(f"*{IMAGE}"))
        if not images:
            raise EosfmError(
                f"{path} holds no scene; expected files named {PREFIX}<tile>.<date>.v1.4{IMAGE}; "
                "unpack hls_burn_scars.tar.gz again"
            )
        for image in images:
            yield _scene(folder, image)


def _scene(folder: str, image: Path) -> Scene:
    match = IMAGE_NAME.fullmatch(image.name)
    if match is None:
        raise EosfmError(
            f"{image} is not named as a scene; expected {PREFIX}T10SEH.2018245.v1.4{IMAGE}; "
            "remove the file or restore its name"
        )
    tile, year, day = match.groups()
    stem = image.name.removesuffix(IMAGE)
    mask = require(image.with_name(stem + MASK), NAME, f"the mask of {image.name}")
    header = read_header(image, len(BANDS), dtype=None)
    size = (header.height, header.width)
    return Scene(
        id=f"{folder}/{stem.removeprefix(PREFIX)}",
        split=_split(folder, tile),
        height=header.height,
        width=header.width,
        files=(image, mask),
        image=partial(_image, image, size),
        target=partial(_target, mask, size),
        crs=header.crs,
        transform=header.transform,
        dates=((date(int(year), 1, 1) + timedelta(int(day) - 1)).isoformat(),),
    )


def _split(folder: str, tile: str) -> Split:
    if folder == FOLDERS["test"]:
        return "test"
    return "val" if rank(f"{NAME}/{tile}") < VALIDATE else "train"


def _image(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    image = read_bands(path, window, len(BANDS), size).astype(np.float32)
    image[np.isin(image, np.array(FILLS, np.float32))] = np.nan
    if np.nanmax(image, initial=0) > HIGHEST:
        raise EosfmError(
            f"{path} has values up to {np.nanmax(image):g}; expected reflectance, 0 to about 1; "
            "fetch the file again"
        )
    return (image * np.float32(10_000))[None]


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    mask = read_bands(path, window, 1, size)[0]
    if not np.isin(mask, (-1, 0, 1)).all():
        raise EosfmError(
            f"{path} has labels from {mask.min()} to {mask.max()}; expected -1 (missing), 0 (not "
            "burned), 1 (burn scar); fetch the file again"
        )
    return mask.astype(np.int16)


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
    scenes=scenes,
    split_rule="the published validation folder is the test split; about an eighth of the "
    "Sentinel-2 tiles of the training folder validate, drawn by the tile's name",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Burn scars in scenes of 512 x 512 pixels; missing data (-1) is not scored."""
