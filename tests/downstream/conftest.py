"""Tiny tile stores, an artifact of two untrained specialists, and params that fit them."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from eosfm.catalog.spec import Dataset, Scene, Source, Window
from eosfm.params import Params

ROOT = Path(__file__).parents[2]
SIZE = 32
COUNTS = {"train": 32, "val": 12, "test": 12}


def picture(seed: int, upright: bool) -> tuple[np.ndarray, np.ndarray]:
    """An image (1, 3, 32, 32) with one bright half, and the mask of that half."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:, SIZE // 2 :] = 1
    mask = mask if upright else mask.T.copy()
    image = rng.normal(100, 10, (1, 3, SIZE, SIZE)) + 60 * mask
    return image.clip(0, 255).astype(np.uint8), mask


def dataset(name: str) -> Dataset:
    """Scenes in memory: which half is bright, per pixel or (upright or not) per image.

    ``change`` has a dark first date; ``series`` is bright at the middle one of three dates.
    """
    kind = "segmentation" if name == "series" else name
    dates = DATES.get(name, ("2020-05-01",))

    def scenes(root):
        for split, count in COUNTS.items():
            for i in range(count):
                seed = 1000 * list(COUNTS).index(split) + i
                image, mask = picture(seed, upright=i % 2 == 0)
                shown = len(dates) // 2  # of all dates, this one shows the bright half
                image = np.concatenate(
                    [image if t == shown else np.full_like(image, 100) for t in range(len(dates))]
                )
                label = {
                    "segmentation": mask,
                    "change": mask,
                    "regression": np.where(mask, 12.0, 4.0).astype(np.float32),
                    "classification": np.array(i % 2, np.int64),
                    "multilabel": np.array([i % 2, 1 - i % 2, 1], np.uint8),
                }[kind]

                def read_image(window: Window, image=image) -> np.ndarray:
                    return image

                def read_target(window: Window, label=label) -> np.ndarray:
                    return label

                yield Scene(
                    f"{split}{i}",
                    split,
                    SIZE,
                    SIZE,
                    (root / "x",),
                    read_image,
                    read_target,
                    dates=dates,
                )

    classes = {"regression": ("height",), "multilabel": ("lying", "upright", "any")}
    return Dataset(
        name=name,
        title=name,
        kind=kind,
        bands=("red", "green", "blue"),
        units=("dn8",) * 3,
        dtype="uint8",
        classes=classes.get(kind, ("dark", "bright")),
        gsd=1.0,
        source=Source("", "", "", 0.0),
        scenes=scenes,
        simulate=lambda root, simulation: None,
    )


DATES = {
    "change": ("2019-05-01", "2020-05-01"),
    "series": ("2020-04-01", "2020-06-15", "2020-09-01"),
}
TASKS = ("segmentation", "classification", "multilabel", "regression", "change", "series")


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """One tile store per task."""
    from eosfm.tiles.cutting import cut_dataset
    from eosfm.tiles.store import TileStore

    folder = tmp_path_factory.mktemp("tiles")
    for name in TASKS:
        cut_dataset(dataset(name), folder, folder / name, tile=SIZE, progress=False)
    return {name: TileStore(folder / name) for name in TASKS}


@pytest.fixture(scope="session")
def params() -> Params:
    """params.yaml with these tasks and a protocol of seconds."""
    data = yaml.safe_load((ROOT / "params.yaml").read_text())
    data["scales"]["mini"]["protocol"] = {
        "label_fraction": 0.5,
        "epochs": 3,
        "steps_per_epoch": 8,
        "batch_size": 8,
        "lr": 5.0e-3,
        "decoder_channels": 16,
        "seeds": 2,
        "baseline_seeds": 1,
        "dates": None,
        "window": None,
        "overlap": 0,
        "fine_tune": False,
        "class_weights": "balanced",
    }
    metrics = {"classification": "accuracy", "multilabel": "map", "regression": "rmse"}
    aggregations = {"change": "concat", "series": "ltae"}
    data["datasets"] |= {name: data["datasets"]["loveda"] for name in TASKS}
    data["tasks"] = {
        name: {
            "dataset": name,
            "bands": ["red", "green", "blue"],
            "head": "linear" if name in ("classification", "multilabel") else "upernet",
            "metric": metrics.get(name, "miou"),
            "label_fraction": None,
            "aggregation": aggregations.get(name),
            "dates": None,
        }
        for name in TASKS
    }
    return Params.model_validate(data)


@pytest.fixture(scope="session")
def edited(params):
    """``edited(protocol={...}, fusion={...}, <task>={...})``: the params with other values."""

    def change(protocol=None, fusion=None, encoding=None, **tasks) -> Params:
        data = params.model_dump()
        data["scales"]["mini"]["protocol"] |= protocol or {}
        data["fusion"] |= fusion or {}
        data["encoding"] |= encoding or {}
        for name, values in tasks.items():
            data["tasks"][name] |= values
        return Params.model_validate(data)

    return change


@pytest.fixture(scope="session")
def features(params, stores, artifact, tmp_path_factory):
    """Stored features of every task, by name."""
    from eosfm.downstream.features import encode_task

    folder = tmp_path_factory.mktemp("features")
    for name in TASKS:
        encode_task(params, name, stores[name], artifact, folder / name)
    return {name: folder / name for name in TASKS}


@pytest.fixture(scope="session")
def artifact(tmp_path_factory):
    """An ensemble of two untrained specialists, one of three bands and one of two."""
    import timm
    import torch

    from eosfm.ensemble import Specialist, save_artifact

    torch.manual_seed(0)
    specialists = []
    for name, bands in (("colour", ("red", "green", "blue")), ("pair", ("red", "blue"))):
        model = timm.create_model("convnextv2_atto", features_only=True, in_chans=len(bands))
        specialists.append(
            Specialist(
                name,
                "convnextv2_atto",
                len(bands),
                model.state_dict(),
                bands=bands,
                units=("dn8",) * len(bands),
                mean=(100.0,) * len(bands),
                std=(30.0,) * len(bands),
            )
        )
    path = tmp_path_factory.mktemp("models") / "eosfm.pth"
    save_artifact(path, specialists)
    return path
