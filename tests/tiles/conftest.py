"""Small synthetic datasets whose scenes are arrays in memory."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset

ROOT = Path("/archive")


def make_scene(
    name: str, split: str, image: np.ndarray, target: np.ndarray, per_pixel: bool = True, **more
) -> Scene:
    """A scene of an image (T, C, H, W) and its target."""

    height, width = image.shape[2:]
    return Scene(
        name,
        split,
        height,
        width,
        files=(ROOT / split / f"{name}.tif",),
        image=lambda window: window.cut(image),
        target=lambda window: window.cut(target) if per_pixel else target,
        **more,
    )


def make_dataset(scenes: list[Scene] | Callable, kind: str = "segmentation", **more) -> Dataset:
    """A dataset of the given scenes: by default red, green, blue in uint16 and four classes."""
    facts = {
        "bands": ("red", "green", "blue"),
        "dtype": "uint16",
        "classes": ("water", "forest", "field", "city"),
        **more,
    }
    return Dataset(
        name="toy",
        title="Toy",
        kind=kind,
        units=("dn16",) * len(facts["bands"]),
        gsd=10.0,
        source=Source("", "", "", 0.0),
        reader=scenes if callable(scenes) else lambda root: iter(scenes),
        **facts,
    )


def draw(seed: int, height: int, width: int, dates: int = 1, bands: int = 3) -> np.ndarray:
    """A random uint16 image without zeros."""
    shape = (dates, bands, height, width)
    return np.random.default_rng(seed).integers(1, 5000, shape).astype(np.uint16)


def draw_mask(seed: int, height: int, width: int) -> np.ndarray:
    """A random mask of four classes."""
    return np.random.default_rng(seed + 1000).integers(0, 4, (height, width)).astype(np.uint8)


def draw_scenes(height: int = 40, width: int = 50, **more) -> list[Scene]:
    """Two training scenes, one for validation, one for testing."""
    return [
        make_scene(f"s{i}", split, draw(i, height, width), draw_mask(i, height, width), **more)
        for i, split in enumerate(("train", "train", "val", "test"))
    ]


@pytest.fixture
def store(tmp_path: Path):
    """The usual four scenes in 16 px tiles: 12 each, padded at two edges."""
    return make_store(tmp_path, draw_scenes(), 16)


def cut(dataset, out, tile, **options):
    return cut_dataset(dataset, ROOT, out, tile, source="archive", **options)


def make_store(folder: Path, scenes, tile: int | None, kind: str = "segmentation", **more):
    """The tile store of a dataset as :func:`make_dataset` makes it."""
    cut(make_dataset(scenes, kind, **more), folder / "toy", tile)
    return TileStore(folder / "toy")


def assemble(split, scene: str, height: int, width: int):
    """Put a scene together again from its tiles, and count how often each pixel came."""
    rows = split.table[split.table.scene == scene]
    image = np.zeros((*split.store.shape[:2], height, width), split.store.dtype)
    target = np.zeros((height, width), split.target(0).dtype)
    count = np.zeros((height, width), int)
    for index, tile in rows.iterrows():
        there = np.s_[tile.row : tile.row + tile.height, tile.col : tile.col + tile.width]
        image[..., *there] = split.image(index)[..., : tile.height, : tile.width]
        target[there] = split.target(index)[: tile.height, : tile.width]
        count[there] += 1
    return image, target, count
