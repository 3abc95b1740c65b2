"""Cloud Cover Detection Challenge: clouds in Sentinel-2 chips of 512 pixels, four bands at 10 m.

Radiant Earth Foundation 2022, doi 10.34911/rdnt.hfq6m7.
"""

import csv
import hashlib
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import Header, read_bands, read_header, write_geotiff
from eosfm.catalog.shared.layout import require
from eosfm.catalog.spec import SPLITS, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import draw_landscape, observe

NAME = "cloud_cover"
BANDS = ("B02", "B03", "B04", "B08")
FOLDERS = ("train", "test")
COLUMNS = ("chip_id", "location", "datetime")
HELD_OUT = 0.1
"""Share of the training locations to validate on."""

SHARES = (0.0, 0.1, 0.35, 0.6, 0.25, 0.8)
"""Cloud share of the simulated chips in turn: the challenge's are clear to overcast."""
SCENERY = (
    ("smallholder", 40), ("desert", 200), ("coast", 300), ("forest", 180), ("city", 120),
    ("river", 90), ("shrub", 250), ("pasture", 150), ("mountain", 60),
)  # fmt: skip
"""Theme and day of the year, in turn; snow and sand are what a cloud is mistaken for."""


def held_out(location: str) -> bool:
    """Whether a training location validates: about one in ten, by the hash of its name."""
    digest = hashlib.sha256(f"{NAME}/{location}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < HELD_OUT


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips that the two metadata tables list.

    Raises:
        EosfmError: A table or a chip's file is missing, damaged or of another layout.
    """
    for folder in FOLDERS:
        table = root / folder / f"{folder}_metadata.csv"
        require(table, NAME, f"the table of the {folder} chips")
        with table.open(newline="") as rows:
            reader = csv.DictReader(rows)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise EosfmError(
                    f"{table} has the columns {', '.join(reader.fieldnames or ())}; expected "
                    f"{', '.join(COLUMNS)}; fetch the file again"
                )
            for row in reader:
                yield _scene(root / folder, folder, row)


def _scene(folder: Path, name: str, row: dict[str, str]) -> Scene:
    chip = row["chip_id"]
    label = require(
        folder / f"{name}_labels" / f"{chip}.tif", NAME, "the cloud mask of a chip in the table"
    )
    bands = tuple(
        require(folder / f"{name}_features" / chip / f"{band}.tif", NAME, "a band of the chip")
        for band in BANDS
    )
    header = read_header(bands[0], 1, "uint16")
    split: Split = "test" if name == "test" else "val" if held_out(row["location"]) else "train"
    return Scene(
        id=chip,
        split=split,
        height=header.height,
        width=header.width,
        files=(*bands, label),
        image=partial(_image, bands, header),
        target=partial(_clouds, label, header),
        crs=header.crs,
        transform=header.transform,
        dates=(row["datetime"][:10],),
    )


def _image(files: tuple[Path, ...], header: Header, window: Window) -> np.ndarray:
    size = (header.height, header.width)
    return np.concatenate([read_bands(file, window, 1, size) for file in files])[np.newaxis]


def _clouds(path: Path, header: Header, window: Window) -> np.ndarray:
    clouds = read_bands(path, window, 1, (header.height, header.width))[0]
    if clouds.max(initial=0) > 1:
        raise EosfmError(
            f"{path} holds the value {clouds.max()}; expected 0 (clear) and 1 (cloud); fetch the "
            "file again"
        )
    return clouds.astype(np.uint8)


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated chips under clear, broken and closed cloud.

    The locations are numbered in turn, so that the reader's rule gives each split the number of
    chips asked for: four chips to a location.
    """
    rows = {folder: [",".join(COLUMNS)] for folder in FOLDERS}
    chips = count()
    for split in SPLITS:
        folder = "test" if split == "test" else "train"
        names = (f"Simulated {split} {number}" for number in count())
        fitting = (name for name in names if split == "test" or held_out(name) == (split == "val"))
        for index in range(simulation.scenes[split]):
            if index % 4 == 0:
                location = next(fitting)
            chip = f"chip{next(chips):04d}"
            key = (simulation.seed, NAME, split, index)
            _write_chip(root / folder, folder, chip, key, simulation)
            day = 1 + index % 28
            rows[folder].append(f"{chip},{location},2020-04-{day:02d}T08:38:46Z")
    for folder, lines in rows.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / f"{folder}_metadata.csv").write_text("\n".join(lines) + "\n")


def _write_chip(
    folder: Path, name: str, chip: str, key: tuple[int | str, ...], simulation: Simulation
) -> None:
    index = int(key[-1])
    theme, doy = SCENERY[index % len(SCENERY)]
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, simulation.gsd, theme, doy)
    seen = observe(land, key, BANDS, cloud=SHARES[index % len(SHARES)])
    origin = (300_000.0 + index * simulation.size * simulation.gsd, 8_000_000.0)
    for band, pixels in zip(BANDS, seen.image, strict=True):
        path = folder / f"{name}_features" / chip / f"{band}.tif"
        write_geotiff(path, pixels[None], simulation.gsd, origin, crs="EPSG:32736")
    write_geotiff(
        folder / f"{name}_labels" / f"{chip}.tif",
        seen.cloud.astype(np.uint8)[None],
        simulation.gsd,
        origin,
        crs="EPSG:32736",
    )


_BUCKET = "https://radiantearth.blob.core.windows.net/mlhub/ref_cloud_cover_detection_challenge_v1"

DATASET = Dataset(
    name=NAME,
    title="Sentinel-2 Cloud Cover Detection Challenge",
    kind="segmentation",
    bands=BANDS,
    units=("reflectance_1e4",) * len(BANDS),
    dtype="uint16",
    classes=("clear", "cloud"),
    gsd=10.0,
    split_rule="the challenge's test chips test; of its training chips those of about one location "
    "in ten, by the hash of the location's name, validate",
    source=Source(
        homepage="https://source.coop/radiantearth/cloud-cover-detection-challenge",
        licence="CC BY 4.0",
        citation="Radiant Earth Foundation: Sentinel-2 cloud cover segmentation dataset (version "
        "1), 2022, doi 10.34911/rdnt.hfq6m7",
        size_gb=50.0,
        manual=(
            "copy the public folders with Microsoft's AzCopy, `azcopy sync "
            f"{_BUCKET}/final/public <folder>/train --recursive=true` and the same with "
            "final/private to <folder>/test"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
"""Bottom-of-atmosphere reflectance of 2018 to 2020 and masks drawn by people."""
