"""What may be wrong with the files of each dataset: every kind of damage of every kind of file.

The files are those of its simulated copy, laid out as the published ones. A damage is refused in
one line, or a scene less is seen by the number of scenes. EOSFM_LONG=1 tries ten times as many
arbitrary damages.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Dataset, Window
from eosfm.simulation.recipes import RECIPES
from tests.datasets.test_contract import SIZES

RASTERS, PLAIN, ARRAYS = (".tif", ".tiff", ".jp2"), (".png", ".jpg"), (".npy", ".npz")
IMAGES = (*RASTERS, *PLAIN, *ARRAYS)
PAGE = b"<!DOCTYPE html><html><body><p>Quota exceeded</p></body></html>\n"
XHTML = b"<html><body><p>later</p></body></html>"

Damage = Callable[[bytes, Path], bytes]
"""From a good file's bytes and its path to those of a bad one."""


def smaller(content: bytes, path: Path) -> bytes:
    """The upper three quarters of an image."""
    return redrawn(content, path, lambda pixels: pixels[..., : pixels.shape[-2] * 3 // 4, :])


def more_bands(content: bytes, path: Path) -> bytes:
    """A raster with one band more."""
    return redrawn(content, path, lambda pixels: np.concatenate([pixels, pixels[:1]]))


def redrawn(content: bytes, path: Path, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """An image in the format and type of another, its pixels (C, H, W) changed."""
    if path.suffix in RASTERS:
        return raster(content, change)
    buffer = io.BytesIO()
    if path.suffix in PLAIN:
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image)
            stack = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
            changed = change(stack)
            drawn = changed[0] if pixels.ndim == 2 else changed.transpose(1, 2, 0)
            Image.fromarray(np.ascontiguousarray(drawn)).save(buffer, image.format)
    elif path.suffix == ".npy":
        np.save(buffer, change(np.load(io.BytesIO(content))))
    else:
        with np.load(io.BytesIO(content)) as archive:
            # (C, H, W, T) of a sensor, (H, W) of labels.
            arrays = {
                name: np.moveaxis(change(np.moveaxis(a, -1, 0)), 0, -1)
                if a.ndim == 4
                else change(a)
                for name, a in archive.items()
            }
        np.savez(buffer, **arrays)
    return buffer.getvalue()


def raster(content: bytes, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    from rasterio.io import MemoryFile

    with MemoryFile(content) as file, file.open() as source:
        pixels, profile = change(source.read()), source.profile
    profile |= {"count": len(pixels), "height": pixels.shape[-2], "width": pixels.shape[-1]}
    kept = {
        k: v for k, v in profile.items()
        if k in ("driver", "dtype", "count", "height", "width", "crs", "transform", "nodata")
    }  # fmt: skip
    with MemoryFile() as file:
        with file.open(**kept) as out:
            out.write(pixels)
        return bytes(file.getbuffer())


def sixteen_bits(content: bytes, path: Path) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        pixels = np.asarray(image.convert("L"), np.uint16) * 200
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


Damages = dict[str, tuple[tuple[str, ...], Damage]]
TEXTS = (".txt", ".csv", ".json", ".geojson", ".xml")
DAMAGES: Damages = {
    "empty": ((), lambda content, path: b""),
    "cut": ((), lambda content, path: content[: len(content) // 2]),
    "web page": ((), lambda content, path: PAGE),
    "web page that is XML": ((".xml",), lambda content, path: XHTML),
    "not UTF-8": (TEXTS, lambda content, path: b"\xff\xfe" + content),
    "smaller": (IMAGES, smaller),
    "a band more": (RASTERS, more_bands),
    "16 bits": ((".png",), sixteen_bits),
    "missing": ((), lambda content, path: path.unlink() or b""),  # type: ignore[func-returns-value]
}
"""What is done, and the endings of the files that it fits (none: all)."""
HARMLESS = {
    # One label for the image as a whole, or in polygons of a reference system: any size will do.
    ("eurosat", ".tif", "smaller"),
    ("firerisk", ".png", "smaller"),
    ("spacenet7", ".tif", "smaller"),
    ("spacenet7_change", ".tif", "smaller"),
    # A tile of many blocks, of which the first scene lies in what is left.
    ("kenya_croptype", ".tif", "cut"),
    # Without it scenes have no dates.
    ("sen1floods11", ".geojson", "missing"),
}
UNREAD = ("FieldIds.csv",)
SHARE = 400 if os.environ.get("EOSFM_LONG") else 40
"""Files of each dataset that are damaged at random."""
MUTATED = SHARE * len(RECIPES)


@pytest.fixture(scope="module", params=RECIPES)
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return get_dataset(request.param)


@pytest.fixture
def root(dataset: Dataset, simulated) -> Path:
    return simulated(dataset, **SIZES.get(dataset.name, {}))


def read(dataset: Dataset, root: Path, id: str) -> list[str]:
    """Read one scene of a copy, and name all."""
    found = []
    for scene in dataset.scenes(root):
        found.append(scene.id)
        if scene.id == id:
            window = Window(0, 0, scene.height, scene.width)
            scene.image(window)
            scene.target(window)
    return found


def files(dataset: Dataset, root: Path) -> tuple[str, list[Path]]:
    """The first scene's name; a file of each kind that it has, and of each kind of table."""
    first = next(iter(dataset.scenes(root)))
    tables = sorted(path for path in root.rglob("*") if path.suffix in TEXTS)
    kinds: dict[tuple[str, str], Path] = {}
    for file in (*first.files, *(path for path in tables if path.name not in UNREAD)):
        # Dates, bands and numbers of patches are no kinds.
        kinds.setdefault((re.sub(r"\d+", "0", file.parent.name), file.suffix), file)
    return first.id, list(kinds.values())


@contextmanager
def kept(file: Path) -> Iterator[bytes]:
    """Let a file be damaged, and put it back."""
    content = file.read_bytes()
    try:
        yield content
    finally:
        file.write_bytes(content)


def test_every_damage_of_every_file_is_refused_in_a_line_or_counted(dataset: Dataset, root: Path):
    id, victims = files(dataset, root)
    whole, accepted = read(dataset, root, id), []
    for file in victims:
        for name, (endings, damage) in DAMAGES.items():
            if endings and file.suffix not in endings:
                continue
            with kept(file) as content:
                damaged = damage(content, file)
                if name != "missing":
                    file.write_bytes(damaged)
                try:
                    found = read(dataset, root, id)
                except EosfmError as error:
                    assert "\n" not in str(error) and str(root) in str(error)
                else:
                    if len(found) == len(whole):
                        accepted.append((dataset.name, file.suffix, name))
    assert set(accepted) <= HARMLESS
    assert len(victims) > 0 and read(dataset, root, id) == whole


PAIRED = {
    "etci2021": "*_vv.png", "dfc2022": "BDORTHO/*.tif", "minifrance": "D044/*.jp2.tif",
    "loveda": "images_png/*.png", "levircdplus": "A/*.png", "deepglobe_lcc": "*_sat.jpg",
    "inria_aerial": "images/*.tif", "ai4smallfarms": "train/images/*.tif",
    "hls_burn_scars": "*_merged.tif",
}  # fmt: skip


@pytest.mark.parametrize("dataset", [get_dataset(name) for name in PAIRED], ids=list(PAIRED))
def test_a_lost_image_is_told_by_what_belongs_to_it(dataset: Dataset, root: Path):
    """Where images are found by their names, whether their number is known or not."""
    image = next(root.rglob(PAIRED[dataset.name]))
    with kept(image):
        image.unlink()
        with pytest.raises(EosfmError, match=r"has no image .*; fetch the image"):
            list(dataset.scenes(root))


def test_any_damage_of_any_file_is_read_or_refused_in_a_line(dataset: Dataset, root: Path):
    """Bytes changed, cut out or cut off, at random: no traceback."""
    rng = np.random.default_rng(list(dataset.name.encode()))
    id, victims = files(dataset, root)
    for number in range(SHARE):
        with kept(victims[number % len(victims)]) as content:
            file = victims[number % len(victims)]
            file.write_bytes(mutated(content, rng))
            try:
                read(dataset, root, id)
            except EosfmError as error:
                assert "\n" not in str(error) and len(str(error)) < 1_500


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, most of them in the header; now and then a part is missing."""
    damaged = bytearray(content)
    reach = len(damaged) if rng.random() < 0.5 else min(len(damaged), 400)
    for at in rng.integers(reach, size=rng.integers(1, 9)):
        damaged[at] = rng.integers(256)
    if rng.random() < 0.3:
        start = rng.integers(len(damaged))
        del damaged[start : start + rng.integers(1, len(damaged))]
    return bytes(damaged)
