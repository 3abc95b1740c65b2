"""LEVIR-CD+: building change between two aerial images of Texas at 0.5 m, 8-bit RGB."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.readers.layout import require
from eosfm.datasets.readers.png import png_size, read_png
from eosfm.datasets.spec import Archive, Dataset, Scene, Source, Window

FOLDER = "LEVIR-CD+"
HELD_OUT = 0.1


def place(name: str) -> str:
    """The image pair a file belongs to: ``train_386`` for its crop ``train_386_0512_0768``."""
    return re.sub(r"_\d{4}_\d{4}$", "", name)


def hold_out(places: Iterable[str]) -> frozenset[str]:
    """The places to validate on: about one in ten, by the hash of the place's name.

    Each place is judged by its own name alone, so a partial copy splits as the whole does; only
    where that would hold out none of several places, the one with the lowest hash is taken.
    """
    distinct = sorted(set(places), key=_rank)
    chosen = [name for name in distinct if _rank(name) < HELD_OUT]
    return frozenset(chosen or distinct[: 1 if len(distinct) > 1 else 0])


def _rank(name: str) -> float:
    digest = hashlib.sha256(f"levircdplus/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def scenes(root: Path) -> Iterator[Scene]:
    """Yield the image pairs below ``root``; the official train set gives up its validation part."""
    train = _names(root, "train")
    validation = hold_out(place(name) for name in train)
    for name in train:
        yield _scene(root, "train", name, "val" if place(name) in validation else "train")
    for name in _names(root, "test"):
        yield _scene(root, "test", name, "test")


def _names(root: Path, folder: str) -> list[str]:
    images = root / FOLDER / folder / "A"
    require(images, "levircdplus", f"the folder {FOLDER}/{folder}/A of {FOLDER}.zip")
    return sorted((path.stem for path in images.glob("*.png")), key=lambda stem: (len(stem), stem))


def _scene(root: Path, folder: str, name: str, split: Split) -> Scene:
    before, after, label = (
        require(
            root / FOLDER / folder / part / f"{name}.png",
            "levircdplus",
            f"the file {part}/{name}.png beside A/{name}.png",
        )
        for part in ("A", "B", "label")
    )
    sizes = {path.parent.name: png_size(path) for path in (before, after, label)}
    if len(set(sizes.values())) > 1:
        raise EosfmError(
            f"levircdplus: the files of {name} differ in size ({sizes}); fetch them again"
        )
    height, width = sizes["A"]
    return Scene(
        id=f"{folder}_{name}",
        split=split,
        height=height,
        width=width,
        files=(before, after, label),
        image=partial(_pair, before, after),
        target=partial(_change, label),
    )


def _pair(before: Path, after: Path, window: Window) -> np.ndarray:
    return np.stack([read_png(before, window), read_png(after, window)])


def _change(label: Path, window: Window) -> np.ndarray:
    return (read_png(label, window, mode="L") > 0).astype(np.uint8)


DATASET = Dataset(
    name="levircdplus",
    title="LEVIR-CD+",
    kind="change",
    bands=("red", "green", "blue"),
    units=("dn8", "dn8", "dn8"),
    dtype="uint8",
    classes=("no change", "building change"),
    gsd=0.5,
    split_rule="official test; one tenth of the official train pairs, by hash of the pair's name "
    "(all crops of a pair together), is held out for validation",
    source=Source(
        homepage="https://github.com/S2Looking/Dataset",
        licence="research use only",
        citation="Shen, Lu, Chen, Wei, Xie, Yue, Chen, Lv, Jiang: S2Looking, Remote Sensing 2021, "
        "arXiv 2107.09244",
        size_gb=4.0,
        archives=(
            Archive(
                url="https://drive.usercontent.google.com/download"
                "?id=1JamSsxiytXdzAIk6VDVWfc-OsX-81U81&export=download&confirm=t",
                filename="LEVIR-CD+.zip",
                checksum="md5:1adf156f628aa32fb2e8fe6cada16c04",
            ),
        ),
    ),
    scenes=scenes,
)
