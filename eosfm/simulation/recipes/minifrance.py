"""A simulated MiniFrance in its native layout."""

from pathlib import Path

from eosfm.datasets.minifrance import DATASET, FOLDERS, LABELS, NAME
from eosfm.datasets.readers.geotiff import write_geotiff
from eosfm.datasets.readers.urbanatlas import CRS, Sheet, sheet_name
from eosfm.simulation import observe
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.urbanatlas import draw, land_use

SIMULATED = {
    "train": Sheet("44", 295, 6715),
    "val": Sheet("06", 1010, 6320),
    "test": Sheet("35", 340, 6790),
}
"""The sheet from which a simulated copy goes east, by split."""


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated images and labels, from west to east in each conurbation."""
    step_km = int(-(-simulation.size * simulation.gsd // 5000)) * 5
    for folder, splits in FOLDERS.items():
        for split in dict.fromkeys(splits.values()):
            for index in range(simulation.scenes[split]):
                start = SIMULATED[split]
                sheet = start._replace(easting=start.easting + step_km * index)
                _write_scene(root, folder, sheet, (simulation.seed, NAME, split), index, simulation)
    (root / LABELS).mkdir(parents=True, exist_ok=True)


def _write_scene(
    root: Path,
    folder: str,
    sheet: Sheet,
    key: tuple[int | str, ...],
    index: int,
    simulation: Simulation,
) -> None:
    land = draw((*key, index), simulation.size, simulation.gsd, index)
    image = observe(land, (*key, index), DATASET.bands, units="dn8").image
    city = f"D0{sheet.department}"
    stem = sheet_name(sheet)
    origin = (sheet.easting * 1000.0, sheet.northing * 1000.0)
    for path, pixels in (
        (root / folder / city / f"{stem}.jp2.tif", image),
        (root / LABELS / city / f"{stem}_UA2012.tif", land_use(land, index)[None]),
    ):
        write_geotiff(path, pixels, simulation.gsd, origin, CRS)
