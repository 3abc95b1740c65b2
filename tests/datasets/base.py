"""What every dataset keeps to, whatever its files look like.

The test of a new dataset is a subclass with the dataset's name and a fixture that makes files::

    class TestMine(DatasetContract):
        name = "mine"

        @pytest.fixture(scope="class")
        def root(self, tmp_path_factory):
            root = tmp_path_factory.mktemp("mine")
            write_native_files(root)
            return root
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eosfm.core.bands import check_bands
from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Dataset, Scene, Window
from eosfm.kinds import get_kind
from eosfm.tiles.layout import UNLABELLED

NO_VALUE = -(10**6)
"""An ignore index that no label has."""


def whole(scene: Scene) -> Window:
    return Window(0, 0, scene.height, scene.width)


def parts(scene: Scene) -> list[Window]:
    """Four windows of unequal size that cover a scene."""
    row, col = scene.height // 3 + 1, scene.width // 2
    rows, cols = ((0, row), (row, scene.height - row)), ((0, col), (col, scene.width - col))
    return [Window(r, c, height, width) for r, height in rows for c, width in cols]


def cut(pixels: np.ndarray, window: Window) -> np.ndarray:
    rows = slice(window.row, window.row + window.height)
    return pixels[..., rows, window.col : window.col + window.width]


@contextmanager
def no_pixels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let headers be read, but no pixel of any image."""
    import PIL.ImageFile
    import rasterio

    class Header:
        def __init__(self, raster) -> None:
            self._raster = raster

        def __getattr__(self, name: str):
            assert not name.startswith("read"), f"pixels of {self._raster.name} were read"
            return getattr(self._raster, name)

        def __enter__(self):
            return self

        def __exit__(self, *error) -> None:
            self._raster.close()

    def load(image):
        raise AssertionError(f"pixels of {image.filename} were read")

    open_raster = rasterio.open
    with monkeypatch.context() as patch:
        patch.setattr(rasterio, "open", lambda *args, **more: Header(open_raster(*args, **more)))
        patch.setattr(PIL.ImageFile.ImageFile, "load", load)
        yield


def check_same(
    theirs: Any, names: Sequence[str], ours: Mapping[str, Scene], target: str = "mask"
) -> None:
    """The items of a torchgeo dataset, which come in the order of ``names``, are these scenes."""
    assert sorted(names) == sorted(ours) and len(theirs) == len(ours)
    for index, name in enumerate(names):
        sample, scene = theirs[index], ours[name]
        image = scene.image(whole(scene))
        np.testing.assert_array_equal(np.squeeze(sample["image"]), np.squeeze(image))
        np.testing.assert_array_equal(np.squeeze(sample[target]), scene.target(whole(scene)))


class DatasetContract:
    """Tests of a dataset; a subclass gives ``name`` and the fixture ``root``."""

    name: str
    lists_by_content: tuple[str, ...] = ()
    """Datasets whose scenes cannot be told apart without a look at their pixels."""

    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return get_dataset(self.name)

    @pytest.fixture(scope="class")
    def root(self) -> Path:
        raise NotImplementedError("make a small copy in the native layout, and return its folder")

    @pytest.fixture(scope="class")
    def scenes(self, dataset: Dataset, root: Path) -> list[Scene]:
        return list(dataset.scenes(root))

    @pytest.fixture(scope="class")
    def samples(self, scenes: list[Scene]) -> list[Scene]:
        """The first scene of each split."""
        first = [next((s for s in scenes if s.split == split), None) for split in SPLITS]
        return [scene for scene in first if scene]

    def test_facts(self, dataset: Dataset):
        assert get_dataset(dataset.name) is dataset
        assert check_bands(dataset.bands) == dataset.bands
        assert dataset.classes and len(set(dataset.classes)) == len(dataset.classes)
        assert np.dtype(dataset.dtype).kind in "uif"
        assert dataset.gsd > 0 and dataset.source.licence and dataset.source.citation

    def test_ids_are_unique_and_the_order_is_stable(self, dataset, root, scenes):
        ids = [scene.id for scene in scenes]
        assert len(set(ids)) == len(ids)
        assert [scene.id for scene in dataset.scenes(root)] == ids

    def test_splits(self, scenes: list[Scene]):
        splits = {scene.split for scene in scenes}
        assert "train" in splits and splits <= set(SPLITS)

    def test_files_are_below_the_root(self, root: Path, scenes: list[Scene]):
        for scene in scenes:
            assert scene.files
            for file in scene.files:
                assert file.exists() and file.is_relative_to(root)

    def test_listing_reads_no_pixel(self, dataset, root, scenes, monkeypatch):
        if dataset.name in self.lists_by_content:
            pytest.skip("which scenes there are depends on the pixels")
        with no_pixels(monkeypatch):
            assert len(list(dataset.scenes(root))) == len(scenes)

    def test_images(self, dataset: Dataset, samples: list[Scene]):
        for scene in samples:
            image = scene.image(whole(scene))
            assert image.dtype == dataset.dtype
            assert image.shape[1:] == (len(dataset.bands), scene.height, scene.width)
            assert len(scene.dates) in (0, len(image))
            for date in scene.dates:
                datetime.date.fromisoformat(date)

    def test_targets(self, dataset: Dataset, samples: list[Scene]):
        for scene in samples:
            check_target(dataset, scene, np.asarray(scene.target(whole(scene))))

    def test_windows_are_parts_of_the_whole(self, dataset: Dataset, samples: list[Scene]):
        for scene in samples:
            image = scene.image(whole(scene))
            for window in parts(scene):
                np.testing.assert_array_equal(scene.image(window), cut(image, window))

    def test_targets_of_windows(self, dataset: Dataset, samples: list[Scene]):
        for scene in samples:
            target = np.asarray(scene.target(whole(scene)))
            found = [np.asarray(scene.target(window)) for window in parts(scene)]
            answer = get_kind(dataset.kind).answer
            if answer == "object":
                assert sum(map(len, found)) == len(target), "each object is in one window"
                for window, boxes in zip(parts(scene), found, strict=True):
                    assert (boxes[:, :4] <= np.tile([window.width, window.height], 2)).all()
                continue
            for window, part in zip(parts(scene), found, strict=True):
                expected = cut(target, window) if answer == "pixel" else target
                np.testing.assert_array_equal(part, expected)

    @pytest.mark.parametrize("fault", ["missing", "empty"])
    def test_a_fault_in_a_file_is_one_line(self, dataset, root, samples, fault: str):
        """Where readers look for files by pattern, a missing one is a scene or a date less."""
        scene = samples[0]
        for file in {scene.files[0], scene.files[-1]}:
            if not file.is_file():
                continue
            beside = file.rename(file.with_name("beside"))
            try:
                if fault == "empty":
                    file.touch()
                with pytest.raises((EosfmError, StopIteration)) as caught:
                    again = next(
                        other
                        for other in dataset.scenes(root)
                        if (other.id, len(other.dates)) == (scene.id, len(scene.dates))
                    )
                    again.image(whole(again))
                    again.target(whole(again))
                assert "\n" not in str(caught.value)
                assert fault == "missing" or caught.type is EosfmError
            finally:
                beside.replace(file)


def check_target(dataset: Dataset, scene: Scene, target: np.ndarray) -> None:
    """Shape, dtype and values of a whole scene's target, as its kind has them."""
    kind, size = get_kind(dataset.kind), (scene.height, scene.width)
    ignore = NO_VALUE if dataset.ignore_index is None else dataset.ignore_index
    kind.check_target(target, size, len(dataset.classes), ignore, scene.id)
    stored = UNLABELLED if dataset.ignore_index is None else dataset.ignore_index
    layout = kind.target_layout(len(dataset.classes), size, stored)
    if layout is None:
        assert target.ndim == 2 and target.shape[1] == 5 and target.dtype == np.float32
        assert (target[:, :2] <= target[:, 2:4]).all() and (target[:, :4] >= 0).all()
        assert (target[:, :4] <= np.tile([scene.width, scene.height], 2)).all()
        return
    dtype, shape = layout
    assert target.shape == shape
    assert np.array_equal(target.astype(dtype), target, equal_nan=True), "it is stored as it is"
    if target.ndim == 1:
        assert np.isin(target, (0, 1)).all()
