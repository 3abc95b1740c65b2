"""BigEarthNet v2 (reBEN): land cover labels of 1.2 km squares in Europe, Sentinel-1 and -2."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import Split
from eosfm.datasets.readers.geotiff import read_bands, read_header
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.sentinel2 import STEP
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

S1_FOLDER, S2_FOLDER, MAP_FOLDER = "BigEarthNet-S1", "BigEarthNet-S2", "Reference_Maps"

# There is no B10 in surface reflectance products. Bands of 20 m and 60 m keep their pixel size.
S2_STEP = {name: step for name, step in STEP.items() if name != "B10"}
COARSEST = max(S2_STEP.values())
# Files are found by name: sorted, VH would come before VV and B8A after B12.
BANDS = ("vv", "vh", *S2_STEP)

CLASSES = (
    "Urban fabric",
    "Industrial or commercial units",
    "Arable land",
    "Permanent crops",
    "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland, shrub",
    "Beaches, dunes, sands",
    "Inland wetlands",
    "Coastal wetlands",
    "Inland waters",
    "Marine waters",
)


SPLIT_NAMES: dict[str, Split] = {"train": "train", "validation": "val", "test": "test"}


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every patch of ``metadata.parquet``, in its order.

    Raises:
        EosfmError: The table lacks a column, names an unknown label or split, or a patch is not
            where the layout has it.
    """
    for row in _metadata(root):
        split = SPLIT_NAMES.get(row["split"])
        if split is None:
            raise EosfmError(
                f"{root / 'metadata.parquet'}: split {row['split']!r} of {row['patch_id']}; "
                f"{suggest(row['split'], list(SPLIT_NAMES))}"
            )
        yield _scene(root, row["patch_id"], row["s1_name"], split, _labels(row))


def _metadata(root: Path) -> list[dict]:
    import pyarrow
    from pyarrow import parquet

    path = require(root / "metadata.parquet", "bigearthnet", "the table of patches and labels")
    needed = ["patch_id", "labels", "split", "s1_name"]
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise EosfmError(
            f"{path} cannot be read as Parquet ({str(error)[:120]}); fetch the file again"
        ) from None
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise EosfmError(
            f"{path} has no column {missing[0]!r} but {', '.join(table.column_names)}; expected "
            "the metadata of version 2; fetch the file again"
        )
    return table.select(needed).to_pylist()


def _labels(row: dict) -> np.ndarray:
    labels = np.zeros(len(CLASSES), dtype=np.uint8)
    for name in row["labels"]:
        if name not in CLASSES:
            raise EosfmError(
                f"bigearthnet: {row['patch_id']} has label {name!r}; {suggest(name, CLASSES)}"
            )
        labels[CLASSES.index(name)] = 1
    return labels


def s2_path(root: Path, patch: str, band: str) -> Path:
    """A patch's file of one Sentinel-2 band, below the folder of its Sentinel-2 tile."""
    return root / S2_FOLDER / _drop(patch, 2) / patch / f"{patch}_{band}.tif"


def s1_path(root: Path, patch: str, band: str) -> Path:
    """A patch's file of one polarisation, below the folder of its Sentinel-1 product."""
    return root / S1_FOLDER / _drop(patch, 3) / patch / f"{patch}_{band.upper()}.tif"


def _drop(name: str, parts: int) -> str:
    return name.rsplit("_", parts)[0]


def _scene(root: Path, patch: str, s1_name: str, split: Split, labels: np.ndarray) -> Scene:
    s1 = tuple(s1_path(root, s1_name, band) for band in BANDS[:2])
    s2 = tuple(s2_path(root, patch, band) for band in S2_STEP)
    finest = s2_path(root, patch, "B02")
    require(finest, "bigearthnet", "a patch of metadata.parquet")
    height, width, crs, transform = read_header(finest, 1, "uint16")
    if height % COARSEST or width % COARSEST:
        raise EosfmError(
            f"{finest} has {height}x{width} px; expected a multiple of {COARSEST}, so that 60 m "
            "pixels fit; fetch the file again"
        )
    day = patch.split("_")[2]  # S2A_MSIL2A_20170613T101031_...
    return Scene(
        id=patch,
        split=split,
        height=height,
        width=width,
        files=(*s1, *s2, root / "metadata.parquet"),
        image=partial(_image, s1, s2, (height, width)),
        target=partial(_target, labels),
        crs=crs,
        transform=transform,
        dates=(f"{day[:4]}-{day[4:6]}-{day[6:8]}",),
    )


def _image(
    s1: tuple[Path, ...], s2: tuple[Path, ...], size: tuple[int, int], window: Window
) -> np.ndarray:
    """All bands on the 10 m grid, (1, 14, h, w) float32; coarse pixels are repeated."""
    image = np.empty((len(BANDS), window.height, window.width), dtype=np.float32)
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    for channel, path, step in zip(image, s1 + s2, (1, 1, *S2_STEP.values()), strict=True):
        if step == 1:
            channel[:] = read_bands(path, window, 1, size)[0]
        else:  # a coarse band of a patch is a few kilobytes: read whole, so any window will do
            shape = (size[0] // step, size[1] // step)
            coarse = read_bands(path, Window(0, 0, *shape), 1, shape)[0]
            channel[:] = coarse.repeat(step, axis=0).repeat(step, axis=1)[rows, cols]
    return image[None]


def _target(labels: np.ndarray, window: Window) -> np.ndarray:
    return labels.copy()


DATASET = Dataset(
    name="bigearthnet",
    title="BigEarthNet v2 (reBEN)",
    kind="multilabel",
    bands=BANDS,
    units=("db", "db", *("reflectance_1e4",) * len(S2_STEP)),
    # The smallest type that holds both uint16 reflectances and decibels without loss.
    dtype="float32",
    classes=CLASSES,
    gsd=10.0,
    split_rule="official, by geographical blocks",
    source=Source(
        homepage="https://bigearth.net",
        licence="CDLA-Permissive-1.0",
        citation="Clasen, Hackel, Burgert, Sumbul, Demir, Markl: reBEN: Refined BigEarthNet "
        "Dataset for Remote Sensing Image Analysis, IGARSS 2025, arXiv 2407.03653",
        size_gb=118.0,
        archives=tuple(
            Archive(
                url=f"https://zenodo.org/records/10891137/files/{name}?download=1",
                filename=name,
                checksum=f"md5:{md5}",
                size=size,
                extract="." if name.endswith(".tar.zst") else None,
            )
            for name, size, md5 in (
                (
                    "BigEarthNet-S1.tar.zst",
                    54_439_153_171,
                    "a55eaa2cdf6a917e296bd6601ec1e348",
                ),
                (
                    "BigEarthNet-S2.tar.zst",
                    63_251_710_377,
                    "2245ed2d1a93f6ce637d839bc856396e",
                ),
                ("Reference_Maps.tar.zst", 282_391_301, "95d85a222fa983faddcac51a19f28917"),
                ("metadata.parquet", 3_616_349, "55687065e77b6d0b0f1ff604a6e7b49c"),
            )
        ),
    ),
    scenes=scenes,
)
