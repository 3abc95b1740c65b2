"""Tile store: random reads and cutting, each against its yardstick in the same run.

python benchmarks/tiles.py reads     # 64x64x13 uint16: store, raw memmap, one GeoTIFF a tile
python benchmarks/tiles.py crops     # 512 px of 1,024 px tiles: store, raw memmap
python benchmarks/tiles.py cutting   # 4000x4000x4 scenes: cutting against GDAL decoding
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
import typer

from eosfm.core.allocator import keep_freed_memory
from eosfm.core.bands import S2_BANDS
from eosfm.datasets.native import png
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset

ROUNDS = 5
DRIVERS = {".tif": "GTiff", ".png": "PNG", ".jpg": "JPEG"}
MASKS = {"tif": "tif", "png": "png", "jpg": "png"}
"""What masks are written in, by the ending of their images."""
RGBN = ("red", "green", "blue", "nir")
app = typer.Typer(add_completion=False)


def make_dataset(name: str, kind: str, bands: tuple[str, ...], dtype: str, scenes: list[Scene]):
    """A dataset of the given scenes."""
    source = Source("", "", "", 0.0)
    units = ("dn16",) * len(bands)
    return Dataset(
        name, name, kind, bands, units, dtype, ("a", "b"), 10.0, source,
        reader=lambda root: scenes,
    )  # fmt: skip


def alternate(
    actions: dict[str, Callable[[], None]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Least seconds of each action, taken in turns so that all see the same machine."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, action in actions.items():
            start = clock()
            action()
            times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


@app.command()
def reads(tiles: int = 4000, geotiffs: int = 300) -> None:
    """Random reads of 64x64x13 uint16 tiles."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = np.random.default_rng(0).integers(0, 4000, (tiles, 1, 13, 64, 64), np.uint16)
        scenes = [
            Scene(f"{i}", "train", 64, 64, (root / "x",), lambda w, i=i: images[i], lambda w: 0)
            for i in range(tiles)
        ]
        dataset = make_dataset("reads", "classification", S2_BANDS, "uint16", scenes)
        cut_dataset(dataset, root, root / "store", None, source="simulated")
        images[:, 0].tofile(root / "raw.bin")
        for i in range(geotiffs):
            write_image(root / f"{i}.tif", images[i, 0])

        split = TileStore(root / "store").split("train")
        raw = np.memmap(root / "raw.bin", np.uint16, "r", shape=(tiles, 13, 64, 64))
        order = np.random.default_rng(1).integers(0, tiles, 20_000).tolist()
        few = [i % geotiffs for i in order[:geotiffs]]

        def from_store() -> None:
            for i in order:
                split.image(i).copy()

        def from_memmap() -> None:
            for i in order:
                np.array(raw[i])

        def from_geotiff() -> None:
            for i in few:
                with rasterio.open(root / f"{i}.tif") as opened:
                    opened.read()

        seconds = alternate({"store": from_store, "memmap": from_memmap, "geotiff": from_geotiff})
        store, memmap = len(order) / seconds["store"], len(order) / seconds["memmap"]
        geotiff = len(few) / seconds["geotiff"]
        print(f"store {store:,.0f}/s, raw memmap {memmap:,.0f}/s, GeoTIFF {geotiff:,.0f}/s")
        print(f"store / memmap {store / memmap:.2f}, store / GeoTIFF {store / geotiff:.0f}")
        print_batches(TileStore(root / "store"))


def print_batches(store: TileStore) -> None:
    """Rate of standardised batches of 32, the form that training reads."""
    from eosfm.tiles.dataset import TileDataset

    dataset = TileDataset(store, "train", S2_BANDS, moves="turns")
    order = np.random.default_rng(2).permutation(len(dataset))[:1600].reshape(-1, 32).tolist()
    seconds = alternate({"batches": lambda: [dataset.__getitems__(b) for b in order] and None})
    print(f"standardised, augmented float32 samples {1600 / seconds['batches']:,.0f}/s")


@app.command()
def crops(tiles: int = 400, size: int = 1024, crop: int = 512) -> None:
    """Random crops of large uint8 tiles with four bands, in several shards."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        image = np.random.default_rng(0).integers(0, 255, (1, 4, size, size), np.uint8)
        scenes = [
            Scene(f"{i}", "train", size, size, (root / "x",), lambda w: image, lambda w: 0)
            for i in range(tiles)
        ]
        dataset = make_dataset("crops", "classification", RGBN, "uint8", scenes)
        cut_dataset(dataset, root, root / "store", None, source="simulated")
        with (root / "raw.bin").open("wb") as file:
            for _ in range(tiles):
                file.write(image.data)

        split = TileStore(root / "store").split("train")
        raw = np.memmap(root / "raw.bin", np.uint8, "r", shape=(tiles, *image.shape))
        rng = np.random.default_rng(1)
        corners = rng.integers(0, size - crop + 1, (2000, 2)).tolist()
        order = list(zip(rng.integers(0, tiles, 2000).tolist(), corners, strict=True))

        def from_store() -> None:
            for i, (row, col) in order:
                split.image(i)[..., row : row + crop, col : col + crop].copy()

        def from_memmap() -> None:
            for i, (row, col) in order:
                np.array(raw[i, ..., row : row + crop, col : col + crop])

        seconds = alternate({"store": from_store, "memmap": from_memmap})
        store, memmap = len(order) / seconds["store"], len(order) / seconds["memmap"]
        print(
            f"store {store:,.0f}/s, raw memmap {memmap:,.0f}/s, store / memmap {store / memmap:.2f}"
        )


@app.command()
def cutting(size: int = 4000, tile: int = 512) -> None:
    """Scenes with their masks, in the layouts that images come in, on one core and on two.

    On one core, processor time counts, to which other programs add little.
    """
    keep_freed_memory()  # as all stages do
    strips = {"compress": "deflate"}
    by_band = strips | {"interleave": "band"}
    blocks = strips | {"tiled": True, "blockxsize": 512, "blockysize": 512}
    layouts = {
        "uint8 deflate, 512 px blocks": ("uint8", "tif", blocks),
        "uint16 deflate, 512 px blocks": ("uint16", "tif", blocks),
        "uint8 deflate, strips": ("uint8", "tif", strips),
        "uint16 deflate, band-interleaved strips": ("uint16", "tif", by_band),
        "uint8 RGB, PNG": ("uint8", "png", {}),
        "uint8 RGB, JPEG": ("uint8", "jpg", {}),
    }
    for name, (dtype, ending, options) in layouts.items():
        image = draw(size, dtype)[: 4 if ending == "tif" else 3]
        with tempfile.TemporaryDirectory() as folder:
            print_cutting(name, Path(folder), image, ending, tile, options)


def draw(size: int, dtype: str) -> np.ndarray:
    """A (4, size, size) image that compresses about as aerial imagery does."""
    from scipy.ndimage import zoom

    rng = np.random.default_rng(0)
    part = size // 4  # deflate looks back 32 KiB: it does not see that the parts are the same
    smooth = zoom(rng.normal(size=(4, part // 50, part // 50)), (1, 50, 50), order=1)
    noisy = np.tile(smooth + rng.normal(scale=0.05, size=smooth.shape), (1, 4, 4))
    scale = 30 if dtype == "uint8" else 800
    return np.clip(noisy * scale + 4 * scale, 1, 250 if dtype == "uint8" else 9000).astype(dtype)


def print_cutting(
    name: str, root: Path, image: np.ndarray, ending: str, tile: int, options: dict
) -> None:
    """Time cutting two scenes, and decoding their files with GDAL, as many at a time as cores."""
    scenes = []
    for part in ("a", "b"):
        mask = (image[:1] > image[:1].mean()).astype(np.uint8)
        files = (root / f"{part}.{ending}", root / f"{part}_mask.{MASKS[ending]}")
        write_image(files[0], image, **options)
        write_image(files[1], mask, **options | ({"compress": "none"} if options else {}))
        image_part, mask = Part(files[0], len(image)), Part(files[1])
        scenes.append(raster_scene(part, "train", [image_part], mask))
    dataset = make_dataset("cutting", "segmentation", RGBN[: len(image)], str(image.dtype), scenes)

    def cut(pool: ThreadPoolExecutor) -> None:
        png._decode.cache_clear()  # of PNG and JPEG, the last few are kept
        cut_dataset(dataset, root, root / "store", tile, source="simulated")

    def decode(scene: Scene) -> None:
        for file in scene.files:
            with rasterio.open(file) as opened:
                opened.read()

    def on(cores: int) -> dict[str, Callable[[], None]]:
        def limited(action: Callable[[ThreadPoolExecutor], object]) -> None:
            os.sched_setaffinity(0, every[:cores])
            with ThreadPoolExecutor(cores) as pool:  # threads inherit the limit
                action(pool)
            os.sched_setaffinity(0, every)

        return {
            f"cut {cores}": lambda: limited(cut),
            f"decode {cores}": lambda: limited(lambda pool: list(pool.map(decode, scenes))),
        }

    every = sorted(os.sched_getaffinity(0))
    seconds = alternate(on(1), time.process_time) | alternate(on(2))
    for cores in (1, 2):
        ours, decoded = seconds[f"cut {cores}"], seconds[f"decode {cores}"]
        print(
            f"{name}, {cores} core(s): decoding / cutting {decoded:.2f} s / {ours:.2f} s = "
            f"{decoded / ours:.2f}; {2 * image.nbytes / ours / 1e6:,.0f} MB/s"
        )


def write_image(path: Path, image: np.ndarray, **options) -> None:
    """Write (C, H, W) in the format of the file's ending."""
    import warnings

    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        count, height, width = image.shape
        with rasterio.open(
            path, "w", DRIVERS[path.suffix], width, height, count, dtype=image.dtype, **options
        ) as opened:
            opened.write(image)


if __name__ == "__main__":
    app()
