"""Fixtures that every dataset's tests share."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from eosfm.catalog.spec import Dataset, Scene, Simulation, Window


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Simulate a small copy of a dataset once per session; for tests that only read it."""
    copies: dict[tuple[object, ...], Path] = {}

    def simulate(
        dataset: Dataset,
        train: int = 2,
        val: int = 1,
        test: int = 1,
        size: int = 64,
        gsd: float | None = None,
        seed: int = 7,
    ) -> Path:
        key = (dataset.name, train, val, test, size, gsd, seed)
        if key not in copies:
            root = tmp_path_factory.mktemp(dataset.name)
            scenes = {"train": train, "val": val, "test": test}
            dataset.simulate(root, Simulation(seed, scenes, size, gsd or dataset.gsd))
            copies[key] = root
        return copies[key]

    return simulate


@pytest.fixture
def tiny(simulated: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """``tiny(dataset, train=2, ...)``: the same small copy in ``tmp_path``, free to be damaged."""

    def copy(dataset: Dataset, **options: float) -> Path:
        return Path(shutil.copytree(simulated(dataset, **options), tmp_path / dataset.name))

    return copy


@pytest.fixture(scope="session")
def whole() -> Callable[[Scene], Window]:
    """The window that covers a scene."""
    return lambda scene: Window(0, 0, scene.height, scene.width)
