import json

import numpy as np
import pytest
import torch

from eosfm.downstream.features import (
    encode_task,
    feature_inputs,
    open_split,
    task_backbone,
    task_tiles,
)
from eosfm.ensemble import load_artifact
from eosfm.errors import EosfmError


@pytest.fixture(scope="module")
def features(params, stores, artifact, tmp_path_factory):
    out = tmp_path_factory.mktemp("features") / "segmentation"
    encode_task(params, "segmentation", stores["segmentation"], artifact, out)
    return out


def test_stored_pyramids_are_what_the_backbone_gives(params, stores, artifact, features):
    store, task = stores["segmentation"], params.task("segmentation")
    split = open_split(params, "segmentation", store, features, artifact, "val")
    positions = np.array([3, 0, 7])
    pyramids, targets = split.batch(positions)
    tiles = task_tiles(params, task, store, "val")
    images = torch.cat([tiles[int(i)]["image"] for i in positions])
    backbone = task_backbone(params, task, store, load_artifact(artifact))
    expected = backbone.encode(images)
    assert len(pyramids) == len(expected) == len(feature_inputs(features))
    for stored, fresh in zip(pyramids, expected, strict=True):
        for a, b in zip(stored, fresh, strict=True):
            assert a.dtype == torch.float16
            torch.testing.assert_close(a[:, 0].float(), b, rtol=2e-3, atol=2e-3)
    assert torch.equal(targets[1], torch.as_tensor(tiles[0]["target"]))


def test_only_the_labelled_share_of_train_is_encoded(params, stores, artifact, features):
    sizes = {
        split: len(
            open_split(params, "segmentation", stores["segmentation"], features, artifact, split)
        )
        for split in ("train", "val", "test")
    }
    assert sizes == {"train": 16, "val": 12, "test": 12}


def test_two_runs_give_the_same_bytes(params, stores, artifact, features, tmp_path):
    encode_task(params, "segmentation", stores["segmentation"], artifact, tmp_path / "again")
    for path in sorted(features.rglob("*.*")):
        other = tmp_path / "again" / path.relative_to(features)
        assert path.read_bytes() == other.read_bytes(), path


def test_above_the_limit_features_are_encoded_as_needed(
    params, stores, artifact, features, tmp_path
):
    small = params.model_copy(
        update={"encoding": params.encoding.model_copy(update={"max_gb": 1e-6})}
    )
    store, out = stores["segmentation"], tmp_path / "segmentation"
    line = encode_task(small, "segmentation", store, artifact, out)
    assert "not stored" in line
    assert json.loads((out / "features.json").read_text())["stored"] is False
    assert not list(out.rglob("level-*.npy"))
    live = open_split(small, "segmentation", store, out, artifact, "train")
    stored = open_split(params, "segmentation", store, features, artifact, "train")
    positions = np.array([5, 2])
    torch.testing.assert_close(live.batch(positions), stored.batch(positions))


def test_missing_features_name_the_stage(params, stores, artifact, tmp_path):
    with pytest.raises(EosfmError, match="dvc repro -f features@segmentation"):
        open_split(
            params, "segmentation", stores["segmentation"], tmp_path / "segmentation", artifact,
            "val",
        )  # fmt: skip
