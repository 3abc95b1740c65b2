"""BigEarthNet v2 (reBEN): land cover labels of 1.2 km squares in Europe, Sentinel-1 and -2."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from eosfm.core.band_groups import BandGroup
from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets.native.listing import expecting, one_of, require
from eosfm.datasets.native.scenes import Part, constant, raster_scene
from eosfm.datasets.native.sentinel2 import STEP
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source

NAME = "bigearthnet"
S1_FOLDER, S2_FOLDER, MAP_FOLDER = "BigEarthNet-S1", "BigEarthNet-S2", "Reference_Maps"

# There is no B10 in surface reflectance products. Bands of 20 m and 60 m keep their pixel size.
S2_STEP = {name: step for name, step in STEP.items() if name != "B10"}
COARSEST = max(S2_STEP.values())
# Files are found by name: sorted, VH would come before VV and B8A after B12.
BANDS = ("vv", "vh", *S2_STEP)

CLASSES = (
    "Urban fabric", "Industrial or commercial units", "Arable land", "Permanent crops", "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas", "Broad-leaved forest", "Coniferous forest", "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation", "Transitional woodland, shrub",
    "Beaches, dunes, sands", "Inland wetlands", "Coastal wetlands", "Inland waters",
    "Marine waters",
)  # fmt: skip
SPLIT_NAMES = ("train", "validation", "test")


def s2_path(root: Path, patch: str, band: str) -> Path:
    """A patch's file of one Sentinel-2 band, below the folder of its Sentinel-2 tile."""
    return root / S2_FOLDER / parent(patch, 2) / patch / f"{patch}_{band}.tif"


def s1_path(root: Path, patch: str, band: str) -> Path:
    """A patch's file of one polarisation, below the folder of its Sentinel-1 product."""
    return root / S1_FOLDER / parent(patch, 3) / patch / f"{patch}_{band.upper()}.tif"


def parent(patch: str, parts: int) -> str:
    """The folder of a patch: its name without the last parts."""
    return patch.rsplit("_", parts)[0]


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every patch of ``metadata.parquet``, in its order."""
    table = require(root / "metadata.parquet", "the table of patches and labels")
    for row in _metadata(table):
        patch = row["patch_id"]
        image = {band: Part(s1_path(root, row["s1_name"], band)) for band in BANDS[:2]} | {
            band: Part(s2_path(root, patch, band), step=step, dtype="uint16")
            for band, step in S2_STEP.items()
        }
        labels = np.zeros(len(CLASSES), dtype=np.uint8)
        labels[[one_of(name, CLASSES, "label", table) for name in row["labels"]]] = 1
        split = SPLITS[one_of(row["split"], SPLIT_NAMES, "split", table)]
        product = parent(patch, 2)
        day = date.fromisoformat(product.split("_")[2][:8])  # S2A_MSIL2A_20170613T101031_...
        scene = raster_scene(
            patch,
            split,
            list(image.values()),
            constant(labels, table),
            grid=image["B02"],
            dates=[str(day)],
            product=product,
        )
        if scene.height % COARSEST or scene.width % COARSEST:
            raise EosfmError(
                f"{image['B02'].path} has {scene.height}x{scene.width} px; expected a multiple of "
                f"{COARSEST}, so that 60 m pixels fit; fetch the file again"
            )
        yield scene


def _metadata(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of the table, a part in memory at a time."""
    from pyarrow import parquet

    columns = ["patch_id", "labels", "split", "s1_name"]
    expected = f"the Parquet table of version 2 with {', '.join(columns)}"
    with expecting(path, expected, OSError), parquet.ParquetFile(path) as table:
        for batch in table.iter_batches(columns=columns):
            yield from batch.select(columns).to_pylist()


DATASET = Dataset(
    name=NAME,
    title="BigEarthNet v2 (reBEN)",
    kind="multilabel",
    bands=BANDS,
    units=("db", "db", *("reflectance_1e4",) * len(S2_STEP)),
    dtype="float32",
    groups=(
        BandGroup(BANDS[:2], "float32"),
        *(
            BandGroup(tuple(name for name in S2_STEP if S2_STEP[name] == step), "uint16", step=step)
            for step in sorted(set(S2_STEP.values()))
        ),
    ),
    classes=CLASSES,
    gsd=10.0,
    split_rule="official, by geographical blocks",
    source=Source(
        homepage="https://bigearth.net",
        licence="CDLA-Permissive-1.0",
        commercial=True,
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
                ("BigEarthNet-S1.tar.zst", 54_439_153_171, "a55eaa2cdf6a917e296bd6601ec1e348"),
                ("BigEarthNet-S2.tar.zst", 63_251_710_377, "2245ed2d1a93f6ce637d839bc856396e"),
                ("Reference_Maps.tar.zst", 282_391_301, "95d85a222fa983faddcac51a19f28917"),
                ("metadata.parquet", 3_616_349, "55687065e77b6d0b0f1ff604a6e7b49c"),
            )
        ),
    ),
    reader=scenes,
    published={"train": 237_871, "val": 122_342, "test": 119_825},
)
