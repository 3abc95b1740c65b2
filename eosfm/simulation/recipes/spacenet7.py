"""A simulated SpaceNet 7 (MUDS) in its native layout."""

import re
from pathlib import Path

import numpy as np

from eosfm.datasets.native.spacenet7 import AOIS, BANDS, CRS
from eosfm.datasets.spacenet7 import NAME
from eosfm.simulation import ROOFS, Key, Landscape, Simulation, evolve, observe, write_geojson
from eosfm.simulation.images import write_geotiff

THEMES = ("city", "residential", "village", "industrial", "residential", "smallholder", "desert")
REGIONS = ("temperate", "tropics", "east asia", "southern", "sahel")  # towns of all continents


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated months; the areas of a split take turns, each with its months in a row."""
    for split, aois in AOIS.items():
        wanted = simulation.scenes[split]
        for index, aoi in enumerate(aois[:wanted]):
            write_series(root, aoi, (split, index), -(-(wanted - index) // len(aois)), simulation)


def write_series(
    root: Path, aoi: str, place: tuple[str | int, int], count: int, simulation: Simulation
) -> None:
    """Write the first ``count`` of at most 24 months of a growing town.

    The place of an area is its split and its position there.
    """
    key = (simulation.seed, NAME, *place)
    grown = simulation.draw(key, THEMES[place[1] % len(THEMES)], doy=15)
    grown = evolve(grown, (*key, "construction"), "construction", strength=0.8)
    before = evolve(grown, (*key, "lots"), "demolition", strength=1.2)
    for number in range(count):
        land = before if number == 0 else grown
        land = evolve(land, (*key, "season", number), "season", strength=4 * number / 12)
        year, month = divmod(number, 12)
        stem = f"global_monthly_{2018 + year}_{month + 1:02d}_mosaic_{aoi}"
        _write_month(root / "train" / aoi, stem, land, (*key, number), cloudy=place[1] % 4 == 3)


def _write_month(folder: Path, stem: str, land: Landscape, key: Key, cloudy: bool) -> None:
    unusable = np.zeros(land.size, bool)
    if cloudy:
        unusable = observe(land, key, ("red",), cloud=0.12).cloud
    region = REGIONS[int(key[3]) % len(REGIONS)]
    seen = observe(land, key, BANDS, units="dn8", region=region).image
    alpha = np.where(unusable, 0, 255).astype(np.uint8)
    rgb = np.where(unusable, 0, np.maximum(seen, 1)).astype(np.uint8)
    # The name gives column and row of Planet's basemap quad, 19.6 km wide, from the lower left.
    east, north = (int(part) for part in re.findall(r"\d{4}(?=[EN])", stem)[:2])
    origin = ((east - 1024) * 19_568.0, (north - 1024) * 19_568.0 + land.size[0] * land.gsd)
    image = np.concatenate([rgb, alpha[None]])
    write_geotiff(folder / "images_masked" / f"{stem}.tif", image, land.gsd, origin, CRS)
    standing = land.shows(*ROOFS) & ~unusable
    _write_footprints(folder / "labels_match" / f"{stem}_Buildings.geojson", standing, land, origin)


def _write_footprints(
    path: Path, standing: np.ndarray, land: Landscape, origin: tuple[float, float]
) -> None:
    """Footprints as GeoJSON in degrees, one polygon per building, with its number."""
    from affine import Affine
    from rasterio.features import shapes
    from rasterio.warp import transform
    from shapely import transform as transform_points
    from shapely.geometry import mapping, shape

    def to_degrees(points: np.ndarray) -> np.ndarray:
        return np.transpose(transform(CRS, "EPSG:4326", points[:, 0], points[:, 1]))

    place = Affine(land.gsd, 0, origin[0], 0, -land.gsd, origin[1])
    found = list(shapes(land.parcel, mask=standing, transform=place))
    outlines = transform_points([shape(geometry) for geometry, _ in found], to_degrees)
    features = [
        {"properties": {"Id": int(number)}, "geometry": mapping(outline)}
        for (_, number), outline in zip(found, outlines, strict=True)
    ]
    write_geojson(path, features)
