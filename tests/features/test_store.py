import json

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.encoding.artifact import load_artifact
from eosfm.features.frozen import split_levels
from eosfm.features.store import encode_task, open_split, reading, task_backbone


def opened(params, stores, features, artifact, name="segmentation", split="val"):
    return open_split(params, name, stores[name], features[name], artifact, split)


def test_stored_pyramids_are_what_the_backbone_gives(params, stores, artifact, features):
    split = opened(params, stores, features, artifact, "series")
    items = np.array([3, 0, 7])
    (levels, days), targets = split.batch(items)
    images, _ = reading(params, "series", stores["series"], "val").images(np.array([0, 3, 7]))
    images = images[[1, 0, 2]]
    task = params.task("series")
    backbone = task_backbone(params, task, stores["series"], load_artifact(artifact))
    expected = backbone.encode(images.flatten(0, 1))
    by_level = split_levels(levels, split.inputs)
    assert len(by_level[0]) == len(expected) == len(split.inputs)
    for i, pyramid in enumerate(expected):
        for k, level in enumerate(pyramid):
            assert by_level[k][i].dtype == torch.float16
            close = {"rtol": 2e-3, "atol": 2e-3}
            torch.testing.assert_close(by_level[k][i].float().flatten(0, 1), level, **close)
    assert days.tolist() == [[91, 166, 244]] * 3
    tiles = reading(params, "series", stores["series"], "val").tiles
    assert torch.equal(targets[1], torch.as_tensor(tiles[0]["target"]))


def test_only_the_labelled_share_of_train_is_encoded(params, stores, artifact, features):
    sizes = [len(opened(params, stores, features, artifact, split=split)) for split in SPLITS]
    assert sizes == [16, 12, 12]


def test_two_runs_give_the_same_bytes(params, stores, artifact, features, tmp_path):
    again = tmp_path / "again"
    encode_task(params, "segmentation", stores["segmentation"], artifact, again)
    for path in sorted(features["segmentation"].rglob("*.*")):
        other = again / path.relative_to(features["segmentation"])
        assert path.read_bytes() == other.read_bytes(), path


def test_above_the_limit_features_are_encoded_as_needed(
    params, edited, stores, artifact, features, tmp_path
):
    small = edited(encoding={"max_gb": 1e-6})
    store, out = stores["segmentation"], tmp_path / "segmentation"
    line = encode_task(small, "segmentation", store, artifact, out)
    assert "not stored" in line
    assert json.loads((out / "features.json").read_text())["stored"] is False
    assert not list(out.rglob("level-*.npy"))
    live = open_split(small, "segmentation", store, out, artifact, "train")
    stored = opened(params, stores, features, artifact, split="train")
    items = np.array([5, 2])
    torch.testing.assert_close(live.batch(items), stored.batch(items))
    assert torch.equal(live.targets, stored.targets)


def test_dates_are_sampled_up_to_the_limits_of_task_and_scale(edited, stores, artifact, tmp_path):
    store, out = stores["series"], tmp_path / "series"
    for values in ({"series": {"dates": 1}}, {"protocol": {"dates": 1}, "series": {"dates": 2}}):
        params = edited(**values)
        encode_task(params, "series", store, artifact, out)
        (levels, days), _ = open_split(params, "series", store, out, artifact, "val").batch(
            np.array([0])
        )
        assert levels[0].shape[1] == 1
        assert days.tolist() == [[166]]
    change = reading(edited(protocol={"dates": 1}), "change", stores["change"], "val")
    assert change.places == [0, 1], "a change needs both dates"


def test_large_tiles_are_stored_window_by_window(edited, stores, artifact, tmp_path):
    params = edited(protocol={"window": 16, "overlap": 4})
    store, out = stores["segmentation"], tmp_path / "segmentation"
    encode_task(params, "segmentation", store, artifact, out)
    split = open_split(params, "segmentation", store, out, artifact, "val")
    assert split.windows.count == 9 and len(split) == 9 * len(split.targets)
    (levels, _), targets = split.batch(np.array([9 * 2 + 1]))
    assert levels[0].shape[-2:] == (4, 4)
    row, col = split.windows.origins[1]
    assert torch.equal(targets[0], split.targets[2][row : row + 16, col : col + 16])
    source = reading(params, "segmentation", store, "val")
    whole = torch.as_tensor(source.tiles[2]["image"])
    image, _ = source.images(np.array([9 * 2 + 1]))
    assert torch.equal(image[0], whole[..., row : row + 16, col : col + 16])


def test_missing_features_name_the_stage(params, stores, artifact, tmp_path):
    with pytest.raises(EosfmError, match="dvc repro -f features@segmentation"):
        open_split(
            params, "segmentation", stores["segmentation"], tmp_path / "segmentation", artifact,
            "val",
        )  # fmt: skip
