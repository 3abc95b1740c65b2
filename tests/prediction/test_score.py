"""A fitted task scored on whole scenes."""

from dataclasses import replace

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.native.spec import Scene, Window
from eosfm.evaluation.fitted import read_fitted
from eosfm.kinds import get_kind
from eosfm.prediction.cut import Cut
from eosfm.prediction.score import NativeScene, score_scenes
from eosfm.tiles.dataset import TileDataset
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.fixtures.tasks import SIZE, dataset

SMALL = Cut(window=SIZE, overlap=0, device="cpu")


@pytest.fixture
def scenes(mosaic, tmp_path):
    """``scenes(kind)``: one scene of 96 x 160 px, as its files would be read, and its dataset."""
    image, bright = mosaic

    def make(kind):
        labels = np.where(bright, 12.0, 4.0).astype(np.float32) if kind == "regression" else bright
        dates = np.stack([np.full_like(image, 100), image] if kind == "change" else [image])
        scene = Scene(
            "whole", "test", *bright.shape, (tmp_path / "x",),
            lambda window: window.cut(dates), lambda window: window.cut(labels),
            dates=("2019-05-01", "2020-05-01")[: len(dates)],
        )  # fmt: skip
        return scene, dataset(kind)

    return make


@pytest.mark.parametrize("kind", ["segmentation", "change", "regression"])
def test_whole_scenes_are_scored_by_the_metrics_of_the_kind(kind, scenes, fitted_file, artifact):
    scene, data = scenes(kind)
    path, result = fitted_file(kind)
    found = score_scenes(read_fitted(path), artifact, data, [scene, replace(scene, id="b")], SMALL)
    assert list(found.scenes) == ["whole", "b"] and found.scenes["b"] == found.scenes["whole"]
    headline = get_kind(kind).headline
    # The mosaic is made of what the task's tiles look like.
    assert found.all[headline] == pytest.approx(found.scenes["b"][headline])
    assert found.all[headline] == pytest.approx(result.test[headline], abs=0.1)
    assert list(found.constant) == ([] if kind == "regression" else list(data.classes))


def test_windows_of_one_size_give_what_tiles_give(scenes, fitted_file, artifact, stores):
    """Whole scenes that are tiles have the score of the tiles."""
    path, _ = fitted_file("segmentation")
    data = dataset("segmentation")
    root = stores["segmentation"].path
    tiles = [scene for scene in data.scenes(root) if scene.split == "test"]
    found = score_scenes(read_fitted(path), artifact, data, tiles, SMALL)
    best = read_fitted(path).test
    assert found.all["miou"] == pytest.approx(best["miou"], abs=1e-3) and len(found.scenes) == 12


def test_the_answer_that_is_the_same_everywhere(scenes, fitted_file, artifact, whole):
    scene, data = scenes("change")
    found = score_scenes(read_fitted(fitted_file("change")[0]), artifact, data, [scene], SMALL)
    share = scene.target(whole(scene)).mean()
    dark, bright = (found.constant[name] for name in data.classes)
    assert dark["f1"] == 0 and bright["f1"] == pytest.approx(2 * share / (1 + share))
    assert bright["accuracy"] == pytest.approx(share)


def test_what_was_not_measured_or_labelled_does_not_count(scenes, fitted_file, artifact):
    scene, data = scenes("segmentation")
    fitted = read_fitted(fitted_file("segmentation")[0])
    gaps = replace(data, nodata=0)
    holed = replace(scene, image=lambda window: np.where(gap(window), 0, scene.image(window)))
    target = scene.target
    wrong = replace(holed, target=lambda window: target(window) ^ gap(window))
    one, other = (
        score_scenes(fitted, artifact, gaps, [made], SMALL).all for made in (holed, wrong)
    )
    assert one == other
    blank = fitted.ignore_index
    unlabelled = replace(scene, id="b", target=lambda w: np.full((w.height, w.width), blank))
    found = score_scenes(fitted, artifact, data, [scene, unlabelled], SMALL)
    assert list(found.scenes) == ["whole"] and found.all == found.scenes["whole"]
    with pytest.raises(EosfmError, match="no labelled scene"):
        score_scenes(fitted, artifact, data, [unlabelled], SMALL)


def test_classes_that_one_scene_lacks_do_not_lower_its_score(scenes, fitted_file, artifact):
    scene, data = scenes("segmentation")
    dark = replace(scene, id="dark", image=lambda w: np.full((1, 3, w.height, w.width), 100, "u1"),
                   target=lambda w: np.zeros((w.height, w.width), "u1"))  # fmt: skip
    fitted = read_fitted(fitted_file("segmentation")[0])
    found = score_scenes(fitted, artifact, data, [dark], SMALL)
    assert found.scenes["dark"]["miou"] == found.scenes["dark"][f"iou/{data.classes[0]}"] == 1
    assert found.all["miou"] == 0.5


def gap(window):
    """The first 40 rows of a scene."""
    return np.broadcast_to(
        (window.row + np.arange(window.height) < 40)[:, None], (window.height, window.width)
    )


def test_a_window_is_what_the_tile_is(scenes, fitted_file, stores):
    data = dataset("change")
    fitted = read_fitted(fitted_file("change")[0])
    scene = next(s for s in data.scenes(stores["change"].path) if s.split == "test")
    tile = TileDataset(stores["change"], "test", fitted.bands)[0]
    part = NativeScene(fitted, data, scene).read(0, 0, (SIZE, SIZE))
    np.testing.assert_allclose(part.image, tile["image"], atol=1e-5)
    large = NativeScene(fitted, data, scenes("change")[0])
    inside, beyond = (large.read(80, 140, size).image for size in ((16, 20), (32, 32)))
    around = ((0, 0), (0, 0), (0, 16), (0, 12))
    np.testing.assert_array_equal(beyond, np.pad(inside, around, mode="edge"))


def test_pixels_are_measured_as_for_tiles(fitted_file, tmp_path):
    """Bands that the task does not use tell nothing; what is endless was not measured."""
    fitted = read_fitted(fitted_file("segmentation")[0])
    plain = replace(
        dataset("segmentation"), bands=("nir", *fitted.bands), units=("dn8",) * 4,
        dtype="float32", nodata=float("nan"),
    )  # fmt: skip
    scene = next(s for s in plain.scenes(tmp_path) if s.split == "test")
    three = scene.image(Window(0, 0, SIZE, SIZE))
    image = np.concatenate([three[:, :1], three], axis=1).astype(np.float32)
    image[:, 1:, : SIZE // 2] = np.nan
    image[:, 1, -1, -1] = -np.inf
    scene = replace(scene, image=lambda window: window.cut(image))
    data = replace(plain, reader=lambda root: iter([scene, replace(scene, id="a", split="train")]))
    cut_dataset(data, tmp_path, tmp_path / "store", SIZE, source="archive")
    tile = TileDataset(TileStore(tmp_path / "store"), "test", fitted.bands, standardize=False)[0]
    given = NativeScene(replace(fitted, standardize=None), data, scene)
    part = given.read(0, 0, (SIZE, SIZE))
    blank = tile["mask"].numpy() == fitted.ignore_index
    assert blank[: SIZE // 2].all() and not blank[SIZE // 2 :].any()
    np.testing.assert_array_equal(part.unknown, blank)
    assert part.image.isfinite().all()
    known = ~blank
    known[-1, -1] = False  # the fill of either is its own
    one, other = part.image.numpy(), tile["image"].numpy()
    np.testing.assert_array_equal(one[..., known], other[..., known])


@pytest.mark.parametrize(
    ("kind", "bands", "message"),
    [
        ("classification", ("red", "green", "blue"), "without an answer per pixel"),
        ("segmentation", ("red", "green", "nir"), "takes band blue, which segmentation lacks"),
    ],
)
def test_what_cannot_be_scored_is_named(kind, bands, message, scenes, fitted_file, artifact):
    scene, data = scenes("segmentation")
    fitted = read_fitted(fitted_file(kind)[0])
    with pytest.raises(EosfmError, match=message):
        score_scenes(fitted, artifact, replace(data, bands=bands), [scene], SMALL)
