"""Every dataset that can be simulated keeps to the contract."""

from pathlib import Path

import pytest

from eosfm.core.splits import SPLITS
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Dataset, Scene
from eosfm.simulation.recipes import RECIPES
from tests.datasets.base import DatasetContract

SIZES = {
    "bigearthnet": {"size": 120},
    "firerisk": {"train": 7, "val": 7, "test": 7},
    "landcoverai": {"size": 512},
}
"""Where the layout asks for tiles of a fixed size, or for an image of each class."""
UNLABELLED = (("dior", "test"), ("loveda", "test"))
"""Whose official test images have no public labels."""


class TestSimulated(DatasetContract):
    # etci2021 leaves out images that lie outside the swath, kenya_croptype blocks without a field.
    lists_by_content = ("etci2021", "kenya_croptype")

    @pytest.fixture(scope="class", params=RECIPES)
    def dataset(self, request: pytest.FixtureRequest) -> Dataset:
        return get_dataset(request.param)

    @pytest.fixture(scope="class")
    def root(self, dataset: Dataset, simulated) -> Path:
        return simulated(dataset, **SIZES.get(dataset.name, {}))

    def test_the_copy_has_the_scenes_asked_for(self, dataset: Dataset, scenes: list[Scene]):
        asked = {"train": 2, "val": 1, "test": 1} | SIZES.get(dataset.name, {})
        for split in SPLITS:
            found = sum(scene.split == split for scene in scenes)
            assert found == (0 if (dataset.name, split) in UNLABELLED else asked[split]), split
