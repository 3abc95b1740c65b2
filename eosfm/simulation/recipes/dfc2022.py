"""A simulated IEEE GRSS Data Fusion Contest 2022 in its native layout."""

from itertools import count, islice
from pathlib import Path

import numpy as np

from eosfm.datasets.dfc2022 import CITIES, FOLDER, HELD_OUT, NAME, TRAINING, split_of
from eosfm.datasets.native.urbanatlas import CRS, sheet_name
from eosfm.simulation.grid import average
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.urbanatlas import origin, write_sheet


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images, west to east; a city's images lie where its split's strips are."""
    step_km = int(-(-simulation.side // 1000))
    half = simulation.size // 2
    for split, index, key in simulation.plan(NAME):
        city = TRAINING if split == "train" else HELD_OUT
        eastings = (x for x in count(CITIES[city].easting, step_km) if split_of(city, x) == split)
        sheet = CITIES[city]._replace(easting=next(islice(eastings, index, None)))
        folder, stem = root / FOLDER / city, sheet_name(sheet)
        image = folder / "BDORTHO" / f"{stem}.tif"
        label = folder / "UrbanAtlas" / f"{stem}_UA2012.tif"
        land = write_sheet(simulation, key, sheet, image, label)
        terrain = average(land.elevation[: 2 * half, : 2 * half], 2)[None].astype(np.float32)
        path = folder / "RGEALTI" / f"{stem}_RGEALTI.tif"
        write_geotiff(path, terrain, 2 * simulation.gsd, origin(sheet), CRS)
