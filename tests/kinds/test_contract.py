"""Every kind keeps the contract, and a new one is a file and a line in the table."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from eosfm.core.closure import ROOT as PROJECT
from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS, get_kind
from eosfm.kinds.kind import Kind
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.kinds.base import SIZE, KindContract
from tests.test_docs import blocks
from tests.tiles.conftest import ROOT, draw, make_dataset, make_scene

MASKS = np.zeros((2, *SIZE), np.uint8)
MASKS[0, :20], MASKS[1, :, :9], MASKS[1, 40:] = 1, 255, 1
HEIGHTS = np.where(MASKS == 255, np.nan, 3.0 + MASKS).astype(np.float32)
BOXES = [np.array([[4, 4, 20, 28, 1]], np.float32), np.empty((0, 5), np.float32)]


class TestClassification(KindContract):
    name, classes = "classification", ("a", "b", "c")
    stored = (np.array(2), np.array(0))
    batch: ClassVar = {"label": torch.tensor([2, 0])}
    wrong = np.array(3), "label 3; expected 0 to 2 or 255"


class TestMultilabel(KindContract):
    name, classes = "multilabel", ("a", "b", "c")
    stored = (np.array([1, 0, 0], np.uint8), np.array([1, 1, 0], np.uint8))
    batch: ClassVar = {"label": torch.tensor([[1, 0, 0], [1, 1, 0]])}
    wrong = np.zeros(2, np.uint8), r"shape \(2,\); expected \(3,\)"


class TestSegmentation(KindContract):
    name, classes = "segmentation", ("a", "b", "c")
    stored = tuple(MASKS)
    batch: ClassVar = {"mask": torch.from_numpy(MASKS).long()}
    wrong = np.full(SIZE, 9, np.uint8), "label 9; expected 0 to 2 or 255"


class TestChange(KindContract):
    name, classes = "change", ("same", "changed")
    stored = tuple(MASKS)
    batch: ClassVar = {"mask": torch.from_numpy(MASKS).long()}
    wrong = np.zeros((3, 3), np.uint8), "expected one value per pixel"


class TestRegression(KindContract):
    name, classes = "regression", ("height",)
    stored = tuple(HEIGHTS)
    batch: ClassVar = {"mask": torch.from_numpy(HEIGHTS)}
    wrong = np.zeros((3, 3), np.float32), "expected one value per pixel"


class TestDetection(KindContract):
    name, classes = "detection", ("a", "b", "c")
    stored = tuple(BOXES)
    batch: ClassVar = {
        "bbox_xyxy": [torch.from_numpy(boxes[:, :4]) for boxes in BOXES],
        "label": [torch.from_numpy(boxes[:, 4]).long() for boxes in BOXES],
    }
    wrong = np.array([[0, 0, 4, 4, 3]], np.float32), "label 3; expected 0 to 2 or 255"


NUMPY_ALONE = """
import sys
from eosfm.kinds import KINDS
assert not {"torch", "torchmetrics", "matplotlib"} & set(sys.modules), "the table loads torch"
"""

_, NEW = blocks(PROJECT / "docs/your-method.md", "python")


@pytest.fixture
def new_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind as a newcomer adds it: one file, and one line in the table."""
    file = tmp_path / "boundary.py"
    file.write_text(NEW)
    spec = importlib.util.spec_from_file_location("boundary", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "boundary", module)
    monkeypatch.setitem(KINDS, "boundary", module.Boundary())
    return get_kind("boundary")


def test_a_new_kind_is_a_file_and_a_line(new_kind: Kind, tmp_path: Path) -> None:
    scenes = [make_scene(f"s{i}", "train", draw(i, *SIZE), MASKS[i]) for i in (0, 1)]
    dataset = make_dataset(scenes, kind="boundary", classes=("inside", "edge"), ignore_index=255)
    cut_dataset(dataset, ROOT, tmp_path / "toy", None, source="simulated")
    store = TileStore(tmp_path / "toy")
    assert store.kind == "boundary" and store.target_statistics().labelled > 0

    class TestBoundary(TestSegmentation):
        name, classes = "boundary", ("inside", "edge")

    for check in (name for name in dir(TestBoundary) if name.startswith("test_")):
        if "wrong" not in check:
            getattr(TestBoundary(), check)()


def test_an_unknown_kind_of_a_dataset_is_one_line(tmp_path: Path) -> None:
    scenes = [make_scene("s", "train", draw(0, *SIZE), MASKS[0])]
    with pytest.raises(EosfmError, match="unknown task kind 'segmentaton'; did you mean 'segmen"):
        cut_dataset(
            make_dataset(scenes, kind="segmentaton"),
            ROOT,
            tmp_path / "toy",
            64,
            source="simulated",
        )


def test_the_table_costs_no_torch() -> None:
    subprocess.run([sys.executable, "-c", NUMPY_ALONE], check=True)


def test_labels_that_are_neither_given_nor_not_are_refused_and_unknown_ones_are_no_labels():
    kind = KINDS["multilabel"]
    assert kind.fault(np.array([1, 0, 255], np.uint8), (8, 8), 3, 255) is None
    found = kind.fault(np.array([1, 2, 0], np.uint8), (8, 8), 3, 255)
    assert found == "labels of [2]; expected 0, 1 or 255"
    first, second = kind.strata([np.array([255, 1, 0]), np.array([0, 1, 0])], 3, 255)
    assert first == second


def test_what_is_not_labelled_is_no_stratum_whatever_stands_for_it():
    half = np.full((4, 4), 1, np.uint8)
    half[:2] = 0
    tiles = [half, np.ones_like(half)]
    assert KINDS["segmentation"].strata(tiles, 3, 0).tolist() == [1, 1]
    assert len(set(KINDS["segmentation"].strata(tiles, 3, 255))) == 2


def test_a_pixel_without_a_target_is_one_not_measured_at_any_date_or_of_a_change_at_either():
    missing = np.array([[[1, 1, 0, 0]], [[1, 0, 1, 0]]], bool)
    assert KINDS["segmentation"].unknown(missing).tolist() == [[True, False, False, False]]
    assert KINDS["change"].unknown(missing).tolist() == [[True, True, True, False]]


def test_the_tiles_shown_are_those_whose_labels_vary_most_in_their_order():
    tiles = [np.zeros((4, 4), np.uint8) for _ in range(7)]
    for index, share in ((1, 8), (2, 1), (4, 7), (5, 2), (6, 3)):
        tiles[index].flat[:share] = 1
    tiles[3].flat[:15] = 255  # the rest is of one class
    assert KINDS["segmentation"].examples(7, tiles.__getitem__, 255) == [1, 4, 5, 6]


def test_f1_of_the_new_kind_leaves_background_out_and_other_metrics_do_not(new_kind: Kind) -> None:
    tiles = np.array([[[90, 0], [10, 0]]])  # ten pixels of an edge that nothing found
    (f1,), (miou,), (accuracy,) = (
        new_kind.evidence.scores(tiles, np.ones((1, 1)), 255)[name]
        for name in ("f1", "miou", "accuracy")
    )
    assert (f1, miou, accuracy) == (0, 0.45, 0.9)
