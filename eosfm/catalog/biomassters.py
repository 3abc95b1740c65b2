"""BioMassters: forest biomass in Finland from a year of Sentinel-1 and Sentinel-2 at 10 m.

Nascetti et al., BioMassters: A Benchmark Dataset for Forest Biomass Estimation using Multi-modal
Satellite Time-series, NeurIPS Datasets and Benchmarks 2023, doi 10.57967/hf/1009.
"""

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eosfm.catalog.shared.geotiff import Header, read_bands, read_header, write_tiff
from eosfm.catalog.shared.holdout import rank
from eosfm.catalog.shared.layout import require
from eosfm.catalog.spec import Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.seeds import derive_seed
from eosfm.simulation import (
    FOREST,
    Landscape,
    backscatter,
    cover_mask,
    draw_landscape,
    evolve,
    observe,
)
from eosfm.simulation.noise import Key, fractal, generator
from eosfm.simulation.season import Crop, Season, sow

NAME = "biomassters"
OPTICAL = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
RADAR = ("vv", "vh", "vv_desc", "vh_desc")
FILE_BANDS = {"S1": len(RADAR), "S2": len(OPTICAL) + 1}
"""Bands of a file; Sentinel-2's last is the cloud probability in per cent, which is left out."""
FOLDERS: dict[Split, str] = {"train": "train", "val": "train", "test": "test"}
"""What the folders of a split are called: <name>_features and <name>_agbm."""
METADATA = ("biomassters_features_metadata.csv", "The_BioMassters_-_features_metadata.csv.csv")
"""Names under which the same table is published."""
COLUMNS = ("chip_id", "filename", "satellite", "split", "month", "corresponding_agbm")
FILE_NAME = re.compile(r"(\w+)_(S[12])_(\d\d)\.tif")
MONTHS = (
    "September", "October", "November", "December", "January", "February", "March", "April", "May",
    "June", "July", "August",
)  # fmt: skip
DATES = tuple(f"{2020 + (place > 3)}-{(place + 8) % 12 + 1:02d}-15" for place in range(len(MONTHS)))
"""The dataset tells months, not years or days: the middle of each month of its last year."""
VALIDATE = 0.2
"""Share of the published training chips that validate."""
NO_RADAR = -9999.0

THEMES = ("forest", "conifer", "lake", "forest", "mixed", "conifer")
FIELDS = (Crop("cereal", 30, 3), Crop("pasture", 20, 1), Crop("bare_field", 0, 1))
LAG = 18.0
"""Days by which the boreal spring is late."""
SNOW = (3, 4, 5, 6)
"""Months of the simulated winter, by place."""
DARK = (2, 3, 4)
"""Months in which the sun is too low for Sentinel-2."""
SUNNY = 0.8
"""Share of the other simulated months in which Sentinel-2 sees a chip."""


class Chip(NamedTuple):
    """One place: its files by satellite and month, 0 for September, and its biomass."""

    name: str
    split: Split
    features: dict[tuple[str, int], Path]
    biomass: Path


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the chips, twelve months each; what was not measured is NaN, whole months as well.

    Raises:
        EosfmError: The table or a file is missing, damaged or of another layout.
    """
    found = [root / name for name in METADATA if (root / name).exists()]
    path = found[0] if found else require(root / METADATA[0], NAME, "the table of all images")
    for chip in _chips(root, path):
        yield _scene(chip)


def _chips(root: Path, path: Path) -> Iterator[Chip]:
    """The chips of a table in its order."""
    chips: dict[str, Chip] = {}
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise EosfmError(
                f"{path} has no column {', '.join(missing)}; expected {', '.join(COLUMNS)}; fetch "
                "the file again"
            )
        for row in rows:
            name, folder = row["chip_id"], row["split"]
            match = FILE_NAME.fullmatch(row["filename"])
            if (
                match is None
                or match.groups()[:2] != (name, row["satellite"])
                or int(match[3]) >= len(MONTHS)
                or folder not in FOLDERS.values()
            ):
                raise EosfmError(
                    f"{path} lists {row['filename']!r} of chip {name!r}, split {folder!r}; "
                    "expected <chip>_S1_00.tif to <chip>_S2_11.tif of train or test; fetch the "
                    "file again"
                )
            if name not in chips:
                label = root / f"{folder}_agbm" / row["corresponding_agbm"]
                chips[name] = Chip(name, _split(folder, name), {}, label)
            image = root / f"{folder}_features" / row["filename"]
            chips[name].features[match[2], int(match[3])] = image
    yield from chips.values()


def _split(folder: str, chip: str) -> Split:
    if folder == FOLDERS["test"]:
        return "test"
    return "val" if rank(f"{NAME}/{chip}") < VALIDATE else "train"


def _scene(chip: Chip) -> Scene:
    for path in chip.features.values():
        require(path, NAME, f"an image of chip {chip.name}")
    label = require(chip.biomass, NAME, f"the biomass of chip {chip.name}")
    header: Header = read_header(label, 1, dtype=None)
    size = (header.height, header.width)
    return Scene(
        id=chip.name,
        split=chip.split,
        height=header.height,
        width=header.width,
        files=(*chip.features.values(), label),
        image=partial(_image, chip.features, size),
        target=partial(_target, label, size),
        dates=DATES,
    )


def _image(
    features: dict[tuple[str, int], Path], size: tuple[int, int], window: Window
) -> np.ndarray:
    shape = (len(MONTHS), len(OPTICAL) + len(RADAR), window.height, window.width)
    image = np.full(shape, np.nan, np.float32)
    for (satellite, month), path in features.items():
        pixels = read_bands(path, window, FILE_BANDS[satellite], size).astype(np.float32)
        if satellite == "S1":
            pixels[pixels == NO_RADAR] = np.nan
            image[month, len(OPTICAL) :] = pixels
        else:
            seen = pixels[: len(OPTICAL)]
            seen[:, (seen == 0).all(axis=0)] = np.nan
            image[month, : len(OPTICAL)] = seen
    return image


def _target(path: Path, size: tuple[int, int], window: Window) -> np.ndarray:
    biomass = read_bands(path, window, 1, size)[0].astype(np.float32)
    if np.nanmin(biomass, initial=0) < 0:
        raise EosfmError(
            f"{path} has a biomass of {np.nanmin(biomass):g}; expected 0 or more tonnes per "
            "hectare; fetch the file again"
        )
    return biomass


def simulate(root: Path, simulation: Simulation) -> None:
    """Write chips of boreal forest, twelve months each, with gaps where Sentinel-2 saw nothing."""
    rows = []
    for split, folder in FOLDERS.items():
        for index in range(simulation.scenes[split]):
            key = (simulation.seed, NAME, split, index)
            chip = _chip_name(key, folder, split)
            names = _write_chip(root, folder, chip, index, key, simulation)
            rows += [
                (chip, name, name.split("_")[1], folder, MONTHS[int(name[-6:-4])],
                 f"{chip}_agbm.tif")
                for name in names
            ]  # fmt: skip
    with (root / METADATA[0]).open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def _chip_name(key: Key, folder: str, split: Split) -> str:
    """A made-up chip that falls into a split."""
    attempt = 0
    while _split(folder, name := f"{derive_seed(*key, attempt):08x}") != split:
        attempt += 1
    return name


def _write_chip(
    root: Path, folder: str, chip: str, index: int, key: Key, simulation: Simulation
) -> list[str]:
    """Write a chip's biomass and images; return the names of the images."""
    rng = generator(key, "biomassters")
    shape = (simulation.size, simulation.size)
    land = draw_landscape(key, shape, simulation.gsd, THEMES[index % len(THEMES)], doy=190)
    biomass = _biomass(land, key)
    write_tiff(root / f"{folder}_agbm" / f"{chip}_agbm.tif", biomass[None])
    season = sow(land, key, FIELDS, LAG)
    # Tall crowns shade one another, and return more of the radar's waves than low ones.
    dark, bright = _by_height(land, -0.014), _by_height(land, 0.014)
    names = []
    for month in range(len(MONTHS)):
        now = _land_in(season, month, key)
        images = {"S1": backscatter(now.change(tone=now.tone * bright), (*key, month), RADAR)}
        if month not in DARK and rng.random() < SUNNY:
            cloud = float(rng.choice((0, 0, 0.15)))
            images["S2"] = _sentinel2(now.change(tone=now.tone * dark), (*key, month), cloud)
        for satellite, pixels in images.items():
            names.append(f"{chip}_{satellite}_{month:02d}.tif")
            write_tiff(root / f"{folder}_features" / names[-1], pixels)
    return names


def _land_in(season: Season, month: int, key: Key) -> Landscape:
    """The land in the middle of a month, under snow in winter."""
    land = season.on(15 + 30 * ((month + 8) % 12))
    return evolve(land, (*key, month), "snow") if month in SNOW else land


def _sentinel2(land: Landscape, key: Key, cloud: float) -> np.ndarray:
    """(11, H, W) uint16: ten bands of reflectance, and the cloud probability in per cent."""
    seen = observe(land, key, OPTICAL, cloud=cloud)
    probability = np.where(seen.cloud, 95, 3).astype(np.uint16)
    return np.concatenate([np.maximum(seen.image, 1), probability[None]])


def _by_height(land: Landscape, per_metre: float) -> np.ndarray:
    """(H, W) float32 brightness of trees relative to those of 15 m, 1 where there are none."""
    trees = cover_mask(land.cover, *FOREST)
    return np.where(trees, 1 + per_metre * (land.canopy_height - 15), 1).astype(np.float32)


def _biomass(land: Landscape, key: Key) -> np.ndarray:
    """(H, W) float32 tonnes per hectare, after height, kind and density of the stand.

    The power of height is near that of boreal stands (Repola 2009, Silva Fennica 43:625).
    """
    stand = fractal(generator(key, "density"), land.size, 40, 3)
    wood = 0.4 * land.canopy_height**1.75 * np.clip(1 + 0.15 * stand, 0.5, 1.5)
    wood *= np.where(cover_mask(land.cover, "broadleaf"), 1.2, 1.0)
    return np.where(cover_mask(land.cover, *FOREST), wood, 0).astype(np.float32)


DATASET = Dataset(
    name=NAME,
    title="BioMassters",
    kind="regression",
    bands=(*OPTICAL, *RADAR),
    units=("reflectance_1e4",) * len(OPTICAL) + ("db",) * len(RADAR),
    dtype="float32",
    classes=("above-ground biomass",),
    gsd=10.0,
    source=Source(
        homepage="https://huggingface.co/datasets/nascetti-a/BioMassters",
        licence="CC BY 4.0",
        citation="Nascetti, Yadav, Brodt, Qu, Fan, Shendryk, Shah, Chung, BioMassters: A Benchmark "
        "Dataset for Forest Biomass Estimation using Multi-modal Satellite Time-series, "
        "NeurIPS 2023, doi 10.57967/hf/1009",
        size_gb=200.0,
        manual=(
            "run `hf download nascetti-a/BioMassters --repo-type dataset --local-dir <folder>`, "
            "join the split archives with `zip -s 0 train_features.zip --out train.zip` (and "
            "test_features_splits.zip likewise), and unpack them and train_agbm.zip and "
            "test_agbm.tar so that <folder> holds the folders train_features, train_agbm, "
            f"test_features and test_agbm of TIFF files beside {METADATA[1]}"
        ),
    ),
    scenes=scenes,
    simulate=simulate,
    split_rule="official test chips; a fifth of the training chips validate, drawn by the chip's "
    "name (the dataset does not tell where a chip lies)",
    nodata=float("nan"),
    target_unit="t/ha",
)
"""Biomass at every pixel of 256 x 256, from twelve months; gaps are NaN."""
