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

from eosfm.catalog.shared.geotiff import read_bands, read_header, write_geotiff
from eosfm.catalog.shared.holdout import rank
from eosfm.catalog.shared.layout import require
from eosfm.catalog.spec import Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import Landscape, cover_mask, draw_landscape, evolve, observe
from eosfm.simulation.noise import Key, fractal, generator

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

THEMES = ("conifer", "shrub", "mountain", "grassland", "mixed", "forest")
OLD_SCAR, CLOUDY = 0.35, 0.3
"""Shares of the simulated scenes."""


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


def simulate(root: Path, simulation: Simulation) -> None:
    """Write scenes in which a fire left its scar, and often something else that looks like one."""
    number = 0
    for split, folder in FOLDERS.items():
        for index in range(simulation.scenes[split]):
            number, tile = _next_tile(number, folder, split)
            stem = f"{PREFIX}{tile}.{2018 + index % 4}{200 + index % 100:03d}.v1.4"
            image, mask = _draw((simulation.seed, NAME, split, index), index, simulation)
            origin = (300_000.0 + number * simulation.size * simulation.gsd, 4_200_000.0)
            for name, pixels in ((stem + IMAGE, image), (stem + MASK, mask[None])):
                write_geotiff(root / folder / name, pixels, simulation.gsd, origin, "EPSG:32610")


def _next_tile(number: int, folder: str, split: Split) -> tuple[int, str]:
    """The next made-up Sentinel-2 tile that falls into a split."""
    while True:
        number += 1
        letters = "".join(chr(ord("A") + number // 26**place % 26) for place in (2, 1, 0))
        tile = f"T{10 + number % 10}{letters}"
        if _split(folder, tile) == split:
            return number, tile


def _draw(key: Key, index: int, simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Reflectance (6, H, W) float32 0 to 1, and mask (H, W) int16.

    The mask shows one fire. Some scenes also bear an older scar, half grown over, and some
    have clouds with their shadows.
    """
    rng = generator(key, "fire")
    shape = (simulation.size, simulation.size)
    theme, doy = THEMES[index % len(THEMES)], int(rng.integers(170, 290))
    before = draw_landscape(key, shape, simulation.gsd, theme, doy)
    after, severity = before, np.zeros(shape, np.float32)
    if rng.random() < OLD_SCAR:
        after, old = _burn(after, (*key, "old"), rng, (0.15, 0.4))
        severity = np.maximum(severity, old)
    after, new = _burn(after, (*key, "new"), rng, (0.55, 1.0))
    severity = np.maximum(severity, new)
    cloud = float(rng.uniform(0.03, 0.1)) if rng.random() < CLOUDY else 0.0
    unburned, burned = (
        observe(land, (*key, "hls"), BANDS, cloud=cloud).image.astype(np.float32)
        for land in (before, after)
    )
    image = unburned + severity * (burned - unburned)
    mask = _perimeter(new > 0)
    if index % 4 == 3:  # the swath ends within the scene
        image[:, :, : shape[1] // 16], mask[:, : shape[1] // 16] = -9999e4, -1
    return image / np.float32(10_000), mask


def _burn(
    land: Landscape, key: Key, rng: np.random.Generator, severity: tuple[float, float]
) -> tuple[Landscape, np.ndarray]:
    """The land after a fire, and how much of each pixel burned, (H, W) float32 0 to 1."""
    after = evolve(land, key, "burn", strength=float(rng.uniform(0.4, 1.0)))
    burned = (after.cover != land.cover) & cover_mask(after.cover, "burned")
    patches = fractal(rng, land.size, 0.12 * land.size[0], 3, 0.6)
    share = np.clip(rng.uniform(*severity) + 0.4 * patches, 0.05, 1)
    return after, (burned * share).astype(np.float32)


def _perimeter(burned: np.ndarray) -> np.ndarray:
    """Mask (H, W) int16 as mapped: one smooth outline around a fire, spared islands within it."""
    from scipy.ndimage import binary_fill_holes, gaussian_filter

    filled = binary_fill_holes(burned)
    return (gaussian_filter(filled.astype(np.float32), 2) > 0.45).astype(np.int16)


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
    simulate=simulate,
    split_rule="the published validation folder is the test split; about an eighth of the "
    "Sentinel-2 tiles of the training folder validate, drawn by the tile's name",
    ignore_index=-1,
    nodata=float("nan"),
)
"""Burn scars in scenes of 512 x 512 pixels; missing data (-1) is not scored."""
