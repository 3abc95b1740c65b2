import json
from dataclasses import fields

import pytest

from eosfm.artifacts.inventory import take_inventory
from eosfm.artifacts.regroup import merge_artifacts, prune_artifact, selected_by
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.evaluation.result import TaskResult


def hashes(path):
    return {one.name: one.sha256 for one in take_inventory(path).specialists}


def test_prune_keeps_order_and_tensors(artifact_file, members, tmp_path):
    told = prune_artifact(artifact_file, ["published", "rgb"], tmp_path / "out.pth")
    assert told.endswith("out.pth has 2 specialists: rgb, published, of 3 in " + str(artifact_file))
    assert load_artifact(tmp_path / "out.pth") == [members[0], members[2]]
    assert hashes(tmp_path / "out.pth").items() <= hashes(artifact_file).items()


def test_prune_to_a_name_that_is_not_there(artifact_file, tmp_path):
    with pytest.raises(EosfmError, match="no specialist 'rbg'; did you mean 'rgb'"):
        prune_artifact(artifact_file, ["rbg"], tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_prune_by_a_task(tmp_path):
    assert "selected" in {field.name for field in fields(TaskResult)}  # what the file is made of
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({"metric": "miou", "selected": ["s1", "rgb"]}))
    assert selected_by(file) == ["s1", "rgb"]
    for content in ({"score.mean": 1.0}, {"selected": []}, {"selected": [1, "rgb"]}, [1]):
        file.write_text(json.dumps(content))
        with pytest.raises(EosfmError, match="names no selected specialist"):
            selected_by(file)


def test_merge_refuses_a_name_that_stands_twice(artifact_file, backbone_file, tmp_path):
    with pytest.raises(EosfmError, match=r"'rgb' is in .*a\.pth and in .*saved\.pth; give"):
        merge_artifacts([artifact_file, backbone_file], tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_merge_with_prefixes_keeps_the_tensors(artifact_file, backbone_file, tmp_path):
    told = merge_artifacts([artifact_file, backbone_file], tmp_path / "out.pth", ["", "lab2_"])
    assert "the fusion of" in told and "left out" in told
    merged = hashes(tmp_path / "out.pth")
    assert list(merged) == ["rgb", "s1", "published", "lab2_rgb"]
    assert merged["lab2_rgb"] == merged["rgb"] == hashes(artifact_file)["rgb"]
    assert take_inventory(tmp_path / "out.pth").fusion is None


def test_merge_needs_two_and_a_prefix_for_each(artifact_file, tmp_path):
    with pytest.raises(EosfmError, match="at least two"):
        merge_artifacts([artifact_file], tmp_path / "out.pth")
    with pytest.raises(EosfmError, match="1 prefixes for 2 artifacts"):
        merge_artifacts([artifact_file, artifact_file], tmp_path / "out.pth", ["a_"])
