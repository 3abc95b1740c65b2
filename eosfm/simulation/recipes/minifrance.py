"""A simulated MiniFrance in its native layout."""

from pathlib import Path

from eosfm.datasets.minifrance import FOLDERS, LABELS, NAME
from eosfm.datasets.native.urbanatlas import Sheet
from eosfm.simulation import Simulation
from eosfm.simulation.urbanatlas import sheet_name, write_sheet

SIMULATED = {
    "train": Sheet("44", 295, 6715),
    "val": Sheet("06", 1010, 6320),
    "test": Sheet("35", 340, 6790),
}
"""Westernmost map sheet of a simulated copy, by split."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images and labels, from west to east in each conurbation."""
    step_km = int(-(-simulation.side // 5000)) * 5
    (root / LABELS).mkdir(parents=True, exist_ok=True)
    for split, index, key in simulation.plan(NAME):
        start = SIMULATED[split]
        sheet = start._replace(easting=start.easting + step_km * index)
        folder = next(f for f, splits in FOLDERS.items() if sheet.department in splits)
        city, stem = f"D0{sheet.department}", sheet_name(sheet)
        image = root / folder / city / f"{stem}.jp2.tif"
        write_sheet(simulation, key, sheet, image, root / LABELS / city / f"{stem}_UA2012.tif")
