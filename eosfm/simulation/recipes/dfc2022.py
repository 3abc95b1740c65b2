"""A simulated IEEE GRSS Data Fusion Contest 2022 in its native layout."""

from itertools import count
from pathlib import Path

import numpy as np

from eosfm.core.splits import SPLITS
from eosfm.datasets.dfc2022 import CITIES, DATASET, FOLDER, HELD_OUT, NAME, TRAINING, split_of
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.datasets.readers.urbanatlas import CRS, Sheet, sheet_name
from eosfm.simulation import observe
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.urbanatlas import draw, land_use


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images, west to east; a city's images lie where its split's strips are."""
    side_km = -(-simulation.size * simulation.gsd // 1000)
    for split in SPLITS:
        city = TRAINING if split == "train" else HELD_OUT
        start = CITIES[city]
        eastings = (start.easting + int(side_km) * step for step in count())
        fitting = (easting for easting in eastings if split_of(city, easting) == split)
        for index in range(simulation.scenes[split]):
            sheet = start._replace(easting=next(fitting))
            _write_scene(
                root / FOLDER / city, sheet, (simulation.seed, NAME, split), index, simulation
            )


def _write_scene(
    folder: Path, sheet: Sheet, key: tuple[int | str, ...], index: int, simulation: Simulation
) -> None:
    land = draw((*key, index), simulation.size, simulation.gsd, index)
    half = simulation.size // 2
    terrain = land.elevation[: 2 * half, : 2 * half].reshape(half, 2, half, 2).mean(axis=(1, 3))
    image = observe(land, (*key, index), DATASET.bands[:3], units="dn8").image
    stem = sheet_name(sheet)
    origin = (sheet.easting * 1000.0, sheet.northing * 1000.0)
    for part, name, pixels, gsd in (
        ("BDORTHO", stem, image, simulation.gsd),
        ("RGEALTI", f"{stem}_RGEALTI", terrain[None].astype(np.float32), 2 * simulation.gsd),
        ("UrbanAtlas", f"{stem}_UA2012", land_use(land, index)[None], simulation.gsd),
    ):
        write_geotiff(folder / part / f"{name}.tif", pixels, gsd, origin, CRS)
