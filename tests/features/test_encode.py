"""From tiles to frozen features: stored, encoded as they are read, or kept in memory."""

import json
import multiprocessing
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.encoding.artifact import load_artifact
from eosfm.features.encode import (
    encode_task,
    open_features,
    scratch_features,
    task_encoder,
)
from eosfm.features.pooling import pool
from eosfm.features.reading import image_split, read_split
from eosfm.features.source import Request, StoredLevels, split_levels


def test_stored_pyramids_are_what_the_encoder_gives(resolve, artifact, opened):
    task, split = resolve("series"), opened("series").val
    (levels, days), targets = split.batch(np.array([3, 0, 7]))
    reading = read_split(task, "val")
    images, _ = next(reading.stream([Request(np.array([3, 0, 7]))]))
    expected = task_encoder(task, load_artifact(artifact)).encode(images.flatten(0, 1))
    by_level = split_levels(levels, split.inputs)
    assert len(by_level[0]) == len(expected) == len(split.inputs)
    for i, pyramid in enumerate(expected):
        for k, level in enumerate(pyramid):
            assert by_level[k][i].dtype == torch.float16
            close = {"rtol": 2e-3, "atol": 2e-3}
            torch.testing.assert_close(by_level[k][i].float().flatten(0, 1), level, **close)
    assert days.tolist() == [[91, 166, 244]] * 3
    assert torch.equal(targets[1], reading.tiles[0][task.kind.target_key])


def test_of_images_with_one_answer_averages_are_stored(resolve, features, artifact, opened):
    task, folder, items = resolve("classification"), features["classification"], np.arange(5)
    (averages, _), targets = opened("classification").test.batch(items)
    assert {(*level.shape[-2:], level.dtype) for level in averages} == {(1, 1, torch.float16)}
    split = open_features(task, folder, artifact, maps=True).test
    (maps, _), same = split.batch(items)
    assert maps[0].shape[-2:] == (8, 8) and torch.equal(targets, same)
    torch.testing.assert_close(averages, pool(maps, split.inputs))


def test_only_the_labelled_share_of_train_is_encoded(opened):
    assert [len(split) for split in opened("segmentation")] == [16, 12, 12]


def test_two_runs_give_the_same_bytes(resolve, artifact, features, tmp_path):
    again = tmp_path / "again"
    encode_task(resolve("segmentation"), artifact, again, max_gb=1.0)
    for path in sorted(features["segmentation"].rglob("*.*")):
        other = again / path.relative_to(features["segmentation"])
        assert path.read_bytes() == other.read_bytes(), path


def test_above_the_limit_features_are_encoded_as_needed(resolve, artifact, opened, tmp_path):
    task, out = resolve("segmentation"), tmp_path / "segmentation"
    assert "not stored" in encode_task(task, artifact, out, max_gb=1e-6)
    assert json.loads((out / "features.json").read_text())["stored"] is False
    assert not list(out.rglob("level-*.npy"))
    live, stored = open_features(task, out, artifact).train, opened("segmentation").train
    items = np.array([5, 2])
    torch.testing.assert_close(live.batch(items), stored.batch(items))
    torch.testing.assert_close(live.only(["pair"]).batch(items), stored.only(["pair"]).batch(items))
    for one, other in zip(live.some_targets(), stored.some_targets(), strict=True):
        assert one.dtype == other.dtype == np.uint8 and (one == other).all()


@pytest.mark.parametrize("max_gb", [1.0, 0.0])
def test_features_that_no_stage_reads_are_bounded_too(
    resolve, artifact, opened, tmp_path, monkeypatch, max_gb
):
    monkeypatch.setattr("eosfm.features.encode.SCRATCH", tmp_path / "scratch")
    task, items = resolve("series"), np.array([4, 11])
    encoder = task_encoder(task, load_artifact(artifact))
    readings = Splits.of(lambda split: read_split(task, split))
    with scratch_features(encoder, readings, max_gb, False) as splits:
        torch.testing.assert_close(splits.test.batch(items), opened("series").test.batch(items))
        assert splits.train.live == (max_gb == 0)
        if max_gb:
            assert isinstance(splits.train.source, StoredLevels)
            assert all(isinstance(level, np.memmap) for level in splits.train.source.arrays)
    assert not list(tmp_path.rglob("*.npy"))


def test_fewer_dates_are_stored(resolve, artifact, tmp_path):
    task, out = resolve("series", series={"max_dates": 1, "aggregation": None}), tmp_path / "series"
    encode_task(task, artifact, out, max_gb=1.0)
    (levels, days), _ = open_features(task, out, artifact).val.batch(np.array([0]))
    assert levels[0].shape[1] == 1
    assert days.tolist() == [[166]]


def test_large_tiles_are_stored_window_by_window(resolve, artifact, tmp_path):
    task = resolve("segmentation", protocol={"window": 24})
    out = tmp_path / "segmentation"
    encode_task(task, artifact, out, max_gb=1.0)
    split = open_features(task, out, artifact).val
    windows = split.windows
    assert windows.count == 4 and len(split) == 12 and windows.size == (24, 24)
    (levels, _), targets = split.batch(np.array([4 * 2 + 1]))
    assert levels[0].shape[-2:] == (6, 6)
    row, col = windows.origins[1]
    reading = read_split(task, "val")
    whole = next(reading.whole().stream([Request(np.array([2]))]))
    seen = slice(row, row + 24), slice(col, col + 24)
    assert targets[0].tolist() == whole[1][0][seen].tolist()
    (image, days), target = image_split(reading).batch(np.array([4 * 2 + 1]))
    assert torch.equal(image[0], whole[0][0][..., seen[0], seen[1]])
    assert torch.equal(target, targets) and days.shape == (1, 1)


def test_in_training_a_window_is_drawn_from_each_tile(resolve, stores):
    """Anywhere in it, another one in every epoch, and the same one of the same epoch."""
    task = resolve("segmentation", protocol={"window": 16})
    reading = read_split(task, "train")
    tiles = np.array([3, 0, 5])
    items = tiles * reading.windows.count
    whole = next(reading.whole().stream([Request(tiles)]))
    corners = set()
    for epoch in range(12):
        images, targets = next(reading.stream([Request(items, draw=(7, epoch))]))
        again, _ = next(reading.stream([Request(items[::-1].copy(), draw=(7, epoch))]))
        assert torch.equal(images, again.flip(0))
        for n in range(3):
            cuts = whole[0][n].unfold(2, 16, 1).unfold(3, 16, 1)  # every window of the tile
            equal = (cuts == images[n][:, :, None, None]).flatten(4).all(4).all(1)[0]
            ((row, col),) = equal.nonzero().tolist()
            assert torch.equal(targets[n], whole[1][n][row : row + 16, col : col + 16])
            corners.add((row, col))
    assert len(corners) > 20


@pytest.mark.parametrize("standardize", ["dataset", "specialist"])
def test_loader_processes_read_what_the_tile_dataset_gives(resolve, standardize):
    other = {"encoding": {"standardize": standardize}, "fusion": {"spectral": False}}
    task = resolve("change", protocol={"workers": 2}, **other)
    reading = read_split(task, "train")
    requests = [Request(np.array([n, 15 - n])) for n in range(4)]
    batches = list(reading.stream(requests))
    for request, (images, targets) in zip(requests, batches, strict=True):
        samples = reading.tiles.__getitems__(reading.indices[request.items].tolist())
        expected = torch.stack([sample["image"] for sample in samples])
        if standardize == "specialist":
            mean, std = map(torch.from_numpy, reading.tiles.statistics)
            torch.testing.assert_close((images - mean) / std, expected)
        else:
            assert torch.equal(images, expected)
        assert targets.dtype == torch.uint8
        assert torch.equal(targets.long(), torch.stack([sample["mask"] for sample in samples]))


def test_fits_side_by_side_start_no_processes(resolve):
    reading = read_split(resolve("change", protocol={"workers": 1}), "train")

    def started():
        stream = reading.stream([Request(np.array([n])) for n in range(4)])
        next(stream)
        return len(multiprocessing.active_children())

    with ThreadPool(1) as pool:
        assert pool.apply(started) == 0
    assert started() == 1


def test_missing_features_name_the_stage(resolve, artifact, tmp_path):
    with pytest.raises(EosfmError, match="dvc repro -f features@segmentation"):
        open_features(resolve("segmentation"), tmp_path / "segmentation", artifact)
