"""LoveDA: land cover of rural and urban China at 0.3 m, 8-bit RGB."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.catalog.shared.layout import require
from eosfm.catalog.shared.png import png_size, read_png, write_png
from eosfm.catalog.spec import Archive, Dataset, Scene, Simulation, Source, Split, Window
from eosfm.errors import EosfmError
from eosfm.simulation import Landscape, draw_landscape, evolve, legend, observe

CLASSES = (
    "no-data", "background", "building", "road", "water", "barren", "forest", "agriculture",
)  # fmt: skip
FOLDERS: dict[Split, str] = {"train": "Train", "val": "Val"}
"""The labelled folders; the masks of the official Test are kept by the authors."""

AREAS = ("Rural", "Urban")

LEGEND = {
    "roof_red": 2, "roof_grey": 2, "roof_bright": 2, "greenhouse": 2,
    "asphalt": 3, "road": 3, "car": 3,
    "ocean": 4, "lake": 4, "river": 4, "flood": 4,
    "sand": 5, "rock": 5, "bare_soil": 5, "burned": 5,
    "orchard": 6, "olive": 6, "conifer": 6, "broadleaf": 6, "mixed_forest": 6,
    "cereal": 7, "maize": 7, "rapeseed": 7, "vegetable": 7, "rice": 7, "bare_field": 7,
    "vineyard": 7,
}  # fmt: skip
"""Cover of the simulated Earth to LoveDA class; grass, paved yards and the like are background."""

THEMES = {
    "Rural": ("smallholder", "river", "forest", "village"),
    "Urban": ("city", "residential", "industrial", "highway"),
}


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the labelled images below ``root`` (Train and Val)."""
    for split, folder in FOLDERS.items():
        require(root / folder, "loveda", f"the folder {folder} of {folder}.zip")
        for area in AREAS:
            images = (root / folder / area / "images_png").glob("*.png")
            for image in sorted(images, key=lambda path: (len(path.stem), path.stem)):
                mask = root / folder / area / "masks_png" / image.name
                require(mask, "loveda", f"the mask of {image.name}")
                height, width = png_size(image)
                yield Scene(
                    id=f"{folder.lower()}_{area.lower()}_{image.stem}",
                    split=split,
                    height=height,
                    width=width,
                    files=(image, mask),
                    image=partial(_image, image),
                    target=partial(_mask, mask),
                )


def _image(path: Path, window: Window) -> np.ndarray:
    return read_png(path, window)[np.newaxis]


def _mask(path: Path, window: Window) -> np.ndarray:
    mask = read_png(path, window, mode="L")
    if mask.size and mask.max() >= len(CLASSES):
        raise EosfmError(
            f"loveda: {path} holds class {mask.max()}; expected 0 to {len(CLASSES) - 1}; "
            "use the masks of masks_png, not coloured ones"
        )
    return mask


def simulate(root: Path, simulation: Simulation) -> None:
    """Write a small simulated copy of the labelled folders."""
    splits = [split for split in FOLDERS for _ in range(simulation.scenes[split])]
    for number, split in enumerate(splits):
        area = AREAS[number % len(AREAS)]
        theme = THEMES[area][number // len(AREAS) % len(THEMES[area])]
        land = _land((simulation.seed, "loveda", number), simulation, area, theme)
        image = observe(land, (simulation.seed, "loveda", number), DATASET.bands, units="dn8").image
        folder = root / FOLDERS[split] / area
        write_png(folder / "images_png" / f"{number}.png", image)
        write_png(folder / "masks_png" / f"{number}.png", legend(land.cover, LEGEND, default=1))


def _land(key: tuple[int | str, ...], simulation: Simulation, area: str, theme: str) -> Landscape:
    # The cities were imaged in different months of the growing season.
    doy = 120 + 40 * (int(key[-1]) % 4)
    land = draw_landscape(key, (simulation.size, simulation.size), simulation.gsd, theme, doy)
    # Cleared building land is most of what is barren in fast-growing cities.
    return evolve(land, key, "demolition", strength=0.4) if area == "Urban" else land


DATASET = Dataset(
    name="loveda",
    title="LoveDA",
    kind="segmentation",
    bands=("red", "green", "blue"),
    units=("dn8", "dn8", "dn8"),
    dtype="uint8",
    classes=CLASSES,
    gsd=0.3,
    ignore_index=0,
    split_rule="official Train and Val; the official Test has no public masks and is not read",
    source=Source(
        homepage="https://github.com/Junjue-Wang/LoveDA",
        licence="CC BY-NC-SA 4.0, academic use only",
        citation="Wang, Zheng, Ma, Lu, Zhong: LoveDA, NeurIPS Datasets and Benchmarks 2021, "
        "arXiv 2110.08733",
        size_gb=6.4,
        archives=tuple(
            Archive(
                url=f"https://zenodo.org/records/5706578/files/{name}?download=1",
                filename=name,
                checksum=f"md5:{md5}",
            )
            for name, md5 in (
                ("Train.zip", "de2b196043ed9b4af1690b3f9a7d558f"),
                ("Val.zip", "84cae2577468ff0b5386758bb386d31d"),
            )
        ),
    ),
    scenes=scenes,
    simulate=simulate,
)
