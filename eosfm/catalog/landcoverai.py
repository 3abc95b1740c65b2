"""LandCover.ai version 1: buildings, woodland, water and roads of Poland in orthophotos."""

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.geotiff import Header, read_bands, read_header, write_geotiff
from eosfm.catalog.shared.holdout import rank
from eosfm.catalog.shared.layout import require
from eosfm.catalog.spec import SPLITS, Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import FOREST, ROOFS, WATER, draw_landscape, legend, observe

NAME = "landcoverai"
TILE = 512
"""Side of the published tiles in pixels."""

CLASSES = ("background", "building", "woodland", "water", "road")

SHEETS = (
    "M-33-20-D-c-4-2", "M-33-20-D-d-3-3", "M-33-32-B-b-4-4", "M-33-48-A-c-4-4", "M-33-7-A-d-2-3",
    "M-33-7-A-d-3-2", "M-34-32-B-a-4-3", "M-34-32-B-b-1-3", "M-34-5-D-d-4-2", "M-34-51-C-b-2-1",
    "M-34-51-C-d-4-1", "M-34-55-B-b-4-1", "M-34-56-A-b-1-4", "M-34-6-A-d-2-2", "M-34-65-D-a-4-4",
    "M-34-65-D-c-4-2", "M-34-65-D-d-4-1", "M-34-68-B-a-1-3", "M-34-77-B-c-2-3", "N-33-104-A-c-1-1",
    "N-33-119-C-c-3-3", "N-33-130-A-d-3-3", "N-33-130-A-d-4-4", "N-33-139-C-d-2-2",
    "N-33-139-C-d-2-4", "N-33-139-D-c-1-3", "N-33-60-D-c-4-2", "N-33-60-D-d-1-2",
    "N-33-96-D-d-1-1", "N-34-106-A-b-3-4", "N-34-106-A-c-1-3", "N-34-140-A-b-3-2",
    "N-34-140-A-b-4-2", "N-34-140-A-d-3-4", "N-34-140-A-d-4-2", "N-34-61-B-a-1-1",
    "N-34-66-C-c-4-3", "N-34-77-A-b-1-4", "N-34-94-A-b-2-4", "N-34-97-C-b-1-2", "N-34-97-D-c-2-4",
)  # fmt: skip
"""The orthophotos, named by their map sheets."""

Transform = tuple[float, float, float, float, float, float]

THEMES = ("village", "lake", "mixed", "highway", "river", "forest")
LEGEND = {
    **dict.fromkeys(ROOFS, 1),
    **dict.fromkeys(FOREST, 2),
    **dict.fromkeys(WATER, 3),
    "road": 4,
    "asphalt": 4,
    "car": 4,
}
"""Cover of the simulated Earth to class; all else is background."""


def scenes(root: Path) -> Iterator[Scene]:
    """Yield every published tile as a window of its orthophoto.

    A line ``<sheet>_<n>`` of a list is the n-th place of 512 px, in row order from 0; places that
    the right and lower edges cut are counted, but never listed.

    Raises:
        EosfmError: A list, an orthophoto or a mask is missing, or a line names no whole tile or
            one that was named before.
    """
    seen: dict[str, str] = {}
    for split in SPLITS:
        listing = require(
            root / f"{split}.txt", NAME, f"the list of {split} tiles of landcover.ai.v1.zip"
        )
        for line in listing.read_text().split():
            if line in seen:
                raise EosfmError(
                    f"{NAME}: {listing} names {line}, which {seen[line]} names too; expected each "
                    "tile in one split; fetch the lists again"
                )
            seen[line] = listing.name
            yield _tile(root, split, line, listing)


def _tile(root: Path, split: Split, name: str, listing: Path) -> Scene:
    sheet, _, number = name.rpartition("_")
    if not sheet or not number.isdecimal():
        raise EosfmError(
            f"{NAME}: {listing} has the line {name!r}; expected <sheet>_<number>; fetch it again"
        )
    image, mask = (
        require(root / folder / f"{sheet}.tif", NAME, f"the orthophoto or mask of tile {name}")
        for folder in ("images", "masks")
    )
    header = _header(image, image.stat().st_mtime_ns)
    row, col = (TILE * place for place in divmod(int(number), -(-header.width // TILE)))
    if row + TILE > header.height or col + TILE > header.width:
        raise EosfmError(
            f"{NAME}: {listing} names {name}, which is no whole tile of {image} with its "
            f"{header.height}x{header.width} px; fetch the orthophoto and the lists again"
        )
    size = (header.height, header.width)
    return Scene(
        id=name,
        split=split,
        height=TILE,
        width=TILE,
        files=(image, mask),
        image=partial(_image, image, size, (row, col)),
        target=partial(_target, mask, size, (row, col)),
        crs=header.crs,
        transform=_moved(header.transform, row, col),
    )


@cache
def _header(path: Path, version: int) -> Header:
    """The header, read once per orthophoto; ``version`` makes a rewritten file a new entry."""
    return read_header(path, 3, "uint8")


def _moved(transform: Transform | None, row: int, col: int) -> Transform | None:
    """The transform of a part of a raster that begins at ``row`` and ``col``."""
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    return (a, b, c + a * col + b * row, d, e, f + d * col + e * row)


def _within(origin: tuple[int, int], window: Window) -> Window:
    return window._replace(row=origin[0] + window.row, col=origin[1] + window.col)


def _image(
    path: Path, size: tuple[int, int], origin: tuple[int, int], window: Window
) -> np.ndarray:
    return read_bands(path, _within(origin, window), 3, size)[None]


def _target(
    path: Path, size: tuple[int, int], origin: tuple[int, int], window: Window
) -> np.ndarray:
    mask = read_bands(path, _within(origin, window), 1, size)[0]
    if mask.max() >= len(CLASSES):
        raise EosfmError(
            f"{NAME}: {path} holds class {mask.max()}; expected 0 to {len(CLASSES) - 1}; "
            "use the masks of landcover.ai.v1.zip unchanged"
        )
    return mask


def simulate(root: Path, simulation: Simulation) -> None:
    """Write simulated orthophotos of ``simulation.size`` px, and as many tiles as scenes wanted.

    Raises:
        EosfmError: The orthophotos would hold no whole tile, or more of them are needed than the
            dataset has.
    """
    side = simulation.size // TILE
    total = sum(simulation.scenes.values())
    sheets = -(-total // side**2) if side else len(SHEETS) + 1
    if sheets > len(SHEETS):
        raise EosfmError(
            f"{NAME}: {len(SHEETS)} orthophotos of {simulation.size} px cannot hold {total} tiles "
            f"of {TILE} px; raise datasets.{NAME}.simulated.size or lower the scenes"
        )
    names = []
    for index, sheet in enumerate(SHEETS[:sheets]):
        _write_sheet(root, sheet, THEMES[index % len(THEMES)], index, simulation)
        grid = -(-simulation.size // TILE)
        names += [f"{sheet}_{row * grid + col}" for row in range(side) for col in range(side)]
    # As in the original, the tiles of one orthophoto are dealt out to all splits.
    names.sort(key=lambda name: rank(f"{simulation.seed}/{name}"))
    for split in SPLITS:
        chosen, names = names[: simulation.scenes[split]], names[simulation.scenes[split] :]
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in sorted(chosen)))


def _write_sheet(root: Path, sheet: str, theme: str, index: int, simulation: Simulation) -> None:
    key = (simulation.seed, NAME, sheet)
    size = (simulation.size, simulation.size)
    land = draw_landscape(key, size, simulation.gsd, theme, doy=140 + 30 * (index % 4))
    image = observe(land, key, DATASET.bands, units="dn8").image
    mask = legend(land.cover, LEGEND, default=0)[None]
    # Side by side with a gap: the original orthophotos lie all over the country.
    origin = (300_000 + 2 * index * simulation.size * simulation.gsd, 500_000.0)
    for folder, pixels in (("images", image), ("masks", mask)):
        write_geotiff(root / folder / f"{sheet}.tif", pixels, simulation.gsd, origin, "EPSG:2180")


DATASET = Dataset(
    name=NAME,
    title="LandCover.ai v1",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8",) * 3,
    dtype="uint8",
    classes=CLASSES,
    gsd=0.25,
    split_rule="official lists of 512 px tiles, which deal the tiles of one orthophoto out to all "
    "splits",
    source=Source(
        homepage="https://landcover.ai.linuxpolska.com",
        licence="CC BY-NC-SA 4.0",
        citation="Boguszewski, Batorski, Ziemba-Jankowska, Dziedzic, Zambrzycka: LandCover.ai, "
        "CVPR Workshops 2021, arXiv 2005.02264",
        size_gb=1.5,
        archives=(
            Archive(
                url="https://landcover.ai.linuxpolska.com/download/landcover.ai.v1.zip",
                filename="landcover.ai.v1.zip",
                checksum="md5:3268c89070e8734b4e91d531c0617e03",
            ),
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
