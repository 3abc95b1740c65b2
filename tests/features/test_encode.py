"""From tiles to frozen features: stored, encoded as they are read, or kept in memory."""

import json

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.features.encode import (
    encode_task,
    features_in_memory,
    open_features,
    task_encoder,
)
from eosfm.features.frozen import split_levels
from eosfm.features.reading import ImageSplit, read_split


def test_stored_pyramids_are_what_the_encoder_gives(resolve, artifact, opened):
    task, split = resolve("series"), opened("series").val
    (levels, days), targets = split.batch(np.array([3, 0, 7]))
    reading = read_split(task, "val")
    images = reading.images(np.array([0, 3, 7]))[0][[1, 0, 2]]
    expected = task_encoder(task, load_artifact(artifact)).encode(images.flatten(0, 1))
    by_level = split_levels(levels, split.inputs)
    assert len(by_level[0]) == len(expected) == len(split.inputs)
    for i, pyramid in enumerate(expected):
        for k, level in enumerate(pyramid):
            assert by_level[k][i].dtype == torch.float16
            close = {"rtol": 2e-3, "atol": 2e-3}
            torch.testing.assert_close(by_level[k][i].float().flatten(0, 1), level, **close)
    assert days.tolist() == [[91, 166, 244]] * 3
    assert torch.equal(targets[1], torch.as_tensor(reading.tiles[0][task.kind.target_key]))


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
    assert torch.equal(live.targets, stored.targets)


def test_features_in_memory_are_the_stored_ones(resolve, artifact, opened):
    task, items = resolve("series"), np.array([4, 11])
    encoder = task_encoder(task, load_artifact(artifact))
    kept = features_in_memory(encoder, read_split(task, "test"))
    torch.testing.assert_close(kept.batch(items), opened("series").test.batch(items))


def test_fewer_dates_are_stored(resolve, artifact, tmp_path):
    task, out = resolve("series", series={"max_dates": 1, "aggregation": None}), tmp_path / "series"
    encode_task(task, artifact, out, max_gb=1.0)
    (levels, days), _ = open_features(task, out, artifact).val.batch(np.array([0]))
    assert levels[0].shape[1] == 1
    assert days.tolist() == [[166]]


def test_large_tiles_are_stored_window_by_window(resolve, artifact, tmp_path):
    task = resolve("segmentation", protocol={"window": 16, "overlap": 4})
    out, item = tmp_path / "segmentation", np.array([9 * 2 + 1])
    encode_task(task, artifact, out, max_gb=1.0)
    split = open_features(task, out, artifact).val
    assert split.windows.count == 9 and len(split) == 9 * len(split.targets)
    (levels, _), targets = split.batch(item)
    assert levels[0].shape[-2:] == (4, 4)
    row, col = split.windows.origins[1]
    assert torch.equal(targets[0], split.targets[2][row : row + 16, col : col + 16])
    images = ImageSplit(read_split(task, "val"))
    whole = torch.as_tensor(images.reading.tiles[2]["image"])
    (image, days), target = images.batch(item)
    assert torch.equal(image[0], whole[..., row : row + 16, col : col + 16])
    assert torch.equal(target, targets) and days.shape == (1, 1)


def test_missing_features_name_the_stage(resolve, artifact, tmp_path):
    with pytest.raises(EosfmError, match="dvc repro -f features@segmentation"):
        open_features(resolve("segmentation"), tmp_path / "segmentation", artifact)
