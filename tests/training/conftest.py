"""Small tile stores whose labels can be read off the pixels, and params that train for seconds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from eosfm.core.splits import Split
from eosfm.datasets.native.spec import Dataset, Scene, Source
from eosfm.kinds import get_kind
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.result import TrainResult
from eosfm.training.train import Outputs, train_specialist

REPOSITORY = Path(__file__).parents[2]
SIZE = 32
COUNTS: dict[Split, int] = {"train": 10, "val": 4}
CLASSES = {
    "classification": ("dark", "bright"),
    "multilabel": ("dark", "bright", "never"),
    "segmentation": ("dark", "bright"),
    "change": ("same", "changed"),
    "regression": ("height",),
    "detection": ("block", "never"),
}


def dataset_of(kind: str, counts: dict[Split, int] = COUNTS) -> Dataset:
    """A dataset of (B04, B03) images whose labels follow from how bright B04 is."""

    def scenes(root: Path) -> Iterator[Scene]:
        for split, count in counts.items():
            for number in range(count):
                yield _scene(kind, split, number, root)

    return Dataset(
        name=f"toy_{kind}",
        title="Toy",
        kind=kind,  # type: ignore[arg-type]
        bands=("B04", "B03"),
        units=("reflectance_1e4",) * 2,
        dtype="uint16",
        classes=CLASSES[kind],
        gsd=10.0,
        ignore_index=255 if kind == "segmentation" else None,
        source=Source("https://example.org", "none", "none", 0.0),
        reader=scenes,
    )


def _scene(kind: str, split: Split, number: int, root: Path) -> Scene:
    rng = np.random.default_rng((len(split), number))
    dates = 2 if get_kind(kind).bitemporal else 1
    blocks = rng.integers(0, 2, (dates, 1, SIZE // 8, SIZE // 8)) * 2000 + (number % 2) * 1500
    image = np.kron(blocks, np.ones((1, 1, 8, 8), int)) + rng.integers(
        0, 300, (dates, 2, SIZE, SIZE)
    )
    image = image.astype(np.uint16)
    target = _target(kind, image[:, 0], number)

    return Scene(
        id=f"{split}{number}",
        split=split,
        height=SIZE,
        width=SIZE,
        files=(root / f"{split}{number}.tif",),
        image=lambda window: window.cut(image),
        target=lambda window: window.cut(target) if get_kind(kind).answer == "pixel" else target,
    )


def _target(kind: str, red: np.ndarray, number: int) -> np.ndarray:
    if kind == "classification":
        return np.array(number % 2)
    if kind == "multilabel":
        return np.array([1, number % 2, 0], np.uint8)
    if kind == "detection":
        rows, cols = np.nonzero(red[0, ::8, ::8] > 2000 + number % 2 * 1500)
        corners = np.stack([cols, rows], axis=1) * 8
        return np.hstack([corners, corners + 8, np.zeros((len(rows), 1))]).astype(np.float32)
    if kind == "change":
        return (np.abs(red[0].astype(int) - red[1]) > 1000).astype(np.uint8)
    if kind == "regression":
        height = red[0].astype(np.float32) / 100
        height[:4] = np.nan
        return height
    mask = (red[0] > 2000).astype(np.uint8)
    mask[:4] = 255
    return mask


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TileStore]:
    stores: dict[str, TileStore] = {}

    def make(kind: str, counts: dict[Split, int] = COUNTS) -> TileStore:
        key = f"{kind}-{counts}"
        if key not in stores:
            out = tmp_path_factory.mktemp("tiles") / f"toy_{kind}"
            cut_dataset(dataset_of(kind, counts), out.parent, out, None, source="simulated")
            stores[key] = TileStore(out)
        return stores[key]

    return make


@pytest.fixture
def make_recipe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recipe]:
    def make(
        kind: str,
        epochs: int = 2,
        workers: int = 0,
        patience: int | None = None,
        train: dict[str, Any] | None = None,
        **backbone: Any,
    ) -> Recipe:
        data = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
        data["backbone"] |= {"name": "test_convnext"} | backbone  # timm's smallest
        data["scales"]["mini"]["train"] |= {
            "epochs": epochs, "steps_per_epoch": 2, "batch_size": 4, "decoder_channels": 16,
            "workers": workers, "patience": patience,
        }  # fmt: skip
        data["trainer"]["accelerator"] = "cpu"
        data["specialists"] = {
            "toy": {
                "dataset": f"toy_{kind}", "bands": ["B04", "B03"], "epochs": 10, "batch_size": 8,
                "loss": get_kind(kind).losses[-1], "train": train or {},
            }
        }  # fmt: skip
        data["tasks"] = {}
        data["datasets"] = {f"toy_{kind}": data["datasets"]["eurosat"]}
        data["ensemble"] = ["toy"]
        file = tmp_path_factory.mktemp("params") / "params.yaml"
        file.write_text(yaml.safe_dump(data))
        return Recipe.resolve(load_params(file), "toy")

    return make


def train(recipe: Recipe, store: TileStore, folder: Path, name: str = "toy") -> TrainResult:
    """Train to ``<name>.pt``, with curves in ``live-<name>`` and checkpoints in ``s-<name>``."""
    more = Outputs(live=folder / f"live-{name}")
    return train_specialist(recipe, store, folder / f"{name}.pt", folder / f"s-{name}", more)


def curves(folder: Path, name: str = "toy") -> dict[str, list[list[str]]]:
    """The rows of each curve that DVCLive wrote."""
    files = (folder / f"live-{name}" / "plots" / "metrics").glob("*.tsv")
    return {
        file.stem: [row.split("\t") for row in file.read_text().splitlines()[1:]] for file in files
    }


def scripted(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """Let the validation of each epoch give one of some accuracies."""

    def give(self: SpecialistModule) -> None:
        self.scores = {"accuracy": scores[self.trainer.current_epoch]}
        self.metrics.reset()

    monkeypatch.setattr(SpecialistModule, "on_validation_epoch_end", give)
