"""A simulated IEEE GRSS Data Fusion Contest 2022 in its native layout."""

from itertools import count, islice
from pathlib import Path

import numpy as np

from eosfm.datasets.dfc2022 import FOLDER, HELD_OUT, NAME, TRAINING, split_of
from eosfm.datasets.native.urbanatlas import Sheet
from eosfm.simulation import Simulation, average
from eosfm.simulation.images import write_geotiff
from eosfm.simulation.urbanatlas import CRS, origin, sheet_name, write_sheet

SIMULATED = {TRAINING: Sheet("44", 295, 6713), HELD_OUT: Sheet("06", 1007, 6318)}
"""Westernmost map sheet of a simulated copy, by city."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images, west to east; a city's images lie where its split's strips are."""
    step_km = int(-(-simulation.side // 1000))
    half = simulation.size // 2
    for split, index, key in simulation.plan(NAME):
        city = TRAINING if split == "train" else HELD_OUT
        start = SIMULATED[city]
        eastings = (x for x in count(start.easting, step_km) if split_of(city, x) == split)
        sheet = start._replace(easting=next(islice(eastings, index, None)))
        folder, stem = root / FOLDER / city, sheet_name(sheet)
        image = folder / "BDORTHO" / f"{stem}.tif"
        label = folder / "UrbanAtlas" / f"{stem}_UA2012.tif"
        land = write_sheet(simulation, key, sheet, image, label)
        terrain = average(land.elevation[: 2 * half, : 2 * half], 2)[None].astype(np.float32)
        path = folder / "RGEALTI" / f"{stem}_RGEALTI.tif"
        write_geotiff(path, terrain, 2 * simulation.gsd, origin(sheet), CRS)
