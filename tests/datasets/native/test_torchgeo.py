"""torchgeo's classes as scenes, held against our readers of the same files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Window
from eosfm.datasets.native.torchgeo import scenes_of_torchgeo

BY_NAME = {split: {"split": split} for split in SPLITS}
LABELLED = {split: {"split": split} for split in ("train", "val")}

CASES = {
    "eurosat": ("EuroSAT", BY_NAME, "label", {"train": 20, "val": 10, "test": 10}),
    "loveda": ("LoveDA", LABELLED, "mask", {"val": 2, "test": 0}),
    "levircdplus": ("LEVIRCDPlus", {"train": {"split": "train"}}, "mask", {}),
    "dior": ("DIOR", LABELLED, "bbox_xyxy", {"test": 0}),
}
"""For each dataset: torchgeo's class, its splits, its target, and the size of the copy."""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, simulated):
    """Our dataset, a copy of it, and torchgeo's scenes of that copy."""
    dataset = get_dataset(request.param)
    name, splits, target, amount = CASES[request.param]
    root = simulated(dataset, **amount)
    reader = scenes_of_torchgeo(name, splits, target, dataset.dtype, (64, 64))
    return dataset, root, list(reader(root))


def test_scenes_are_those_of_our_reader(case):
    dataset, root, theirs = case
    whole = Window(0, 0, 64, 64)
    ours = {scene.image(whole).tobytes(): scene for scene in dataset.scenes(root)}
    assert len({scene.id for scene in theirs}) == len(theirs) > 1
    for scene in theirs:
        same = ours[scene.image(whole).tobytes()]
        assert scene.files in (same.files, same.files[:1], (root,))
        for window in (whole, Window(10, 20, 30, 40)):
            assert scene.image(window).dtype == dataset.dtype
            np.testing.assert_array_equal(scene.image(window), same.image(window))
            np.testing.assert_array_equal(scene.target(window), same.target(window))


@pytest.fixture
def eurosat(simulated) -> Path:
    return simulated(get_dataset("eurosat"), **CASES["eurosat"][3])


def test_size_may_be_left_out(eurosat: Path):
    scene = next(scenes_of_torchgeo("EuroSAT", BY_NAME, "label", "uint16")(eurosat))
    assert (scene.height, scene.width) == (64, 64)


@pytest.mark.parametrize(
    ("dtype", "size", "message"),
    [
        ("uint8", (64, 64), "expected those of uint8; correct the dataset's dtype"),
        ("uint16", (60, 64), r"expected 60x64 px; correct the dataset's size"),
    ],
)
def test_facts_that_do_not_fit_the_files_are_told(eurosat: Path, dtype, size, message: str):
    scene = next(scenes_of_torchgeo("EuroSAT", BY_NAME, "label", dtype, size)(eurosat))
    with pytest.raises(EosfmError, match=message) as caught:
        scene.image(Window(0, 0, 10, 10))
    assert "\n" not in str(caught.value)


def test_an_image_is_decoded_once_for_itself_and_its_target(eurosat: Path, monkeypatch):
    from torchgeo.datasets import EuroSAT

    read = []
    get = EuroSAT.__getitem__
    monkeypatch.setattr(EuroSAT, "__getitem__", lambda s, i: read.append(i) or get(s, i))
    scenes = list(scenes_of_torchgeo("EuroSAT", BY_NAME, "label", "uint16", (64, 64))(eurosat))
    assert read == []
    for scene in scenes[:3]:
        for row in (0, 32):
            scene.image(Window(row, 0, 32, 64))
            scene.target(Window(row, 0, 32, 64))
    assert len(read) == 3


def test_items_without_files_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch
    import torchgeo.datasets

    class Cubes(torchgeo.datasets.NonGeoDataset):
        def __init__(self, root: str, count: int) -> None:
            self.count = count

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, index: int):
            return {
                "image": torch.full((4, 3, 8, 8), float(index)),
                "mask": torch.full((1, 8, 8), float("nan")),
                "label": torch.tensor([1, 0, 1]),
            }

    monkeypatch.setattr(torchgeo.datasets, "Cubes", Cubes, raising=False)
    splits = {"train": {"count": 2}, "test": {"count": 1}}
    scenes = list(scenes_of_torchgeo("Cubes", splits, "mask", "int16")(tmp_path))
    assert [scene.id for scene in scenes] == ["train/0000000", "train/0000001", "test/0000000"]
    assert all(scene.files == (tmp_path,) for scene in scenes)
    assert scenes[1].image(Window(2, 2, 3, 4)).tolist() == np.ones((4, 3, 3, 4)).tolist()
    assert scenes[1].target(Window(2, 2, 3, 4)).dtype == np.float32
    (scene,) = scenes_of_torchgeo("Cubes", {"test": {"count": 1}}, "label", "int16")(tmp_path)
    assert scene.target(Window(0, 0, 8, 8)).tolist() == [1, 0, 1]


def test_a_misspelt_class_is_one_line(tmp_path: Path):
    read = scenes_of_torchgeo("UCMercedd", {"train": {}}, "label", "uint8", (256, 256))
    with pytest.raises(EosfmError, match="torchgeo has no dataset 'UCMercedd'; did you mean 'UC"):
        list(read(tmp_path))


@pytest.mark.parametrize("options", [{"split": "training"}, {"splits": "train"}])
def test_arguments_that_torchgeo_refuses_are_told(tmp_path: Path, options):
    read = scenes_of_torchgeo("LoveDA", {"train": options}, "mask", "uint8", (256, 256))
    with pytest.raises(EosfmError, match=r"torchgeo's LoveDA refuses splits?='train"):
        list(read(tmp_path))


@pytest.fixture
def cubes(monkeypatch):
    """``cubes(sample, begin)``: a class of one item, and what it does when it is made."""
    import torchgeo.datasets

    def make(sample: Callable[[], dict], begin: Callable[[], object] = dict) -> None:
        class Cubes(torchgeo.datasets.NonGeoDataset):
            def __init__(self, root: str) -> None:
                begin()

            def __len__(self) -> int:
                return 1

            def __getitem__(self, index: int) -> dict:
                return sample()

        monkeypatch.setattr(torchgeo.datasets, "Cubes", Cubes, raising=False)

    return make


@pytest.mark.parametrize("late", [False, True])
def test_a_package_that_torchgeo_lacks_is_one_line(tmp_path: Path, cubes, late: bool):
    from torchgeo.datasets.utils import lazy_import

    def lacks() -> dict:
        return lazy_import("h5pyy")

    cubes(lacks, *([] if late else [lacks]))
    read = scenes_of_torchgeo("Cubes", {"train": {}}, "mask", "uint8")
    with pytest.raises(EosfmError, match=r"needs the package h5pyy, .*`pip install") as caught:
        list(read(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_split_without_labels_is_one_line(simulated):
    root = simulated(get_dataset("loveda"), val=2, test=1)
    (root / "Test/Rural/images_png").mkdir(parents=True, exist_ok=True)
    image = next((root / "Val").rglob("images_png/*.png"))
    (root / "Test/Rural/images_png/9.png").write_bytes(image.read_bytes())
    (root / "Test/Urban/images_png").mkdir(parents=True, exist_ok=True)
    read = scenes_of_torchgeo("LoveDA", {"test": {"split": "test"}}, "mask", "uint8", (64, 64))
    scene = next(read(root))
    with pytest.raises(EosfmError, match=r"item 0 no 'mask', only image; correct .* leave"):
        scene.target(Window(0, 0, 64, 64))


@pytest.mark.parametrize("shape", [(2, 8, 8), (8,)])
def test_a_mask_of_several_dates_is_one_line(tmp_path: Path, cubes, shape):
    cubes(lambda: {"image": torch.zeros(3, 8, 8), "mask": torch.zeros(shape)})
    (scene,) = scenes_of_torchgeo("Cubes", {"train": {}}, "mask", "uint8")(tmp_path)
    with pytest.raises(EosfmError, match=r"a mask of shape .*; expected one of height and"):
        scene.target(Window(0, 0, 8, 8))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("sample_df.csv", r"DIOR cannot read .* \(KeyError: 'split'\)"),
        ("Annotations", r"by torchgeo's DIOR \(ParseError: "),
    ],
)
def test_damaged_tables_and_annotations_are_one_line(simulated, tmp_path: Path, file, message):
    copy = Path(shutil.copytree(simulated(get_dataset("dior")), tmp_path / "dior"))
    for path in [copy / file, *(copy / file).rglob("*.xml")]:
        if path.is_file():
            path.write_text("<html>not found")
    with pytest.raises(EosfmError, match=message):
        for scene in scenes_of_torchgeo("DIOR", LABELLED, "bbox_xyxy", "uint8", (64, 64))(copy):
            scene.target(Window(0, 0, 64, 64))


def test_outlines_in_place_of_boxes_are_one_line(tmp_path: Path, cubes):
    """Some classes give the corners of turned boxes, (n, 5, 2) in FAIR1M."""
    boxes = torch.zeros(2, 5, 2)
    cubes(lambda: {"image": torch.zeros(3, 8, 8), "bbox_xyxy": boxes, "label": torch.zeros(2)})
    (scene,) = scenes_of_torchgeo("Cubes", {"train": {}}, "bbox_xyxy", "uint8")(tmp_path)
    with pytest.raises(EosfmError, match=r"of shape \(2, 5, 2\) for 2 labels; expected x_min"):
        scene.target(Window(0, 0, 8, 8))


def test_a_misspelt_target_is_one_line(eurosat: Path):
    read = scenes_of_torchgeo("EuroSAT", BY_NAME, "labels", "uint16", (64, 64))
    with pytest.raises(EosfmError, match=r"unknown target 'labels' .* did you mean 'label'"):
        list(read(eurosat))


@pytest.mark.parametrize("label", [1.7, float("nan"), [0.5, 1.0], [300, 1], [-1, 1]])
def test_a_label_is_never_rounded_to_a_class(tmp_path: Path, cubes, label):
    cubes(lambda: {"image": torch.zeros(3, 8, 8), "label": torch.tensor(label)})
    (scene,) = scenes_of_torchgeo("Cubes", {"train": {}}, "label", "uint8")(tmp_path)
    with pytest.raises(EosfmError, match="expected a class, or a flag per class"):
        scene.target(Window(0, 0, 8, 8))
