"""A task and its specialists in one file."""

from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.evaluation.fitted import read_fitted, write_fitted
from eosfm.prediction.bundle import bundle
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions
from tests.prediction.test_predict import SMALL


def test_a_bundle_needs_no_ensemble_and_makes_the_same_map(
    fitted_file, artifact, write_scene, mosaic, tmp_path
):
    task, scene = fitted_file("segmentation")[0], write_scene(mosaic[0])
    made = [tmp_path / name for name in ("one.pt", "two.pt")]
    lines = [bundle(task, artifact, path) for path in made]
    assert made[0].read_bytes() == made[1].read_bytes() and "segmentation with" in lines[0]
    maps = tmp_path / "far.tif", tmp_path / "near.tif"
    predict(made[0], Path("none.pth"), [scene], maps[0], ReadOptions(), SMALL)
    predict(task, artifact, [scene], maps[1], ReadOptions(), SMALL)
    assert maps[0].read_bytes() == maps[1].read_bytes()


def test_a_fit_without_specialists_is_written_as_before(fitted_file, tmp_path):
    task = fitted_file("segmentation")[0]
    write_fitted(tmp_path / "again.pt", read_fitted(task))
    assert (tmp_path / "again.pt").read_bytes() == task.read_bytes()


def test_another_ensemble_is_refused_and_a_damaged_one_named(fitted_file, artifact, tmp_path):
    task, content = fitted_file("segmentation")[0], artifact.read_bytes()
    for at, message in ((len(content) // 2, r"other.pth is damaged \("),
                        (None, "is not the ensemble that segmentation was fitted on")):  # fmt: skip
        changed = bytearray(content)
        if at is None:
            changed = bytearray(another(artifact, tmp_path / "another.pth"))
        else:
            changed[at] ^= 255
        (tmp_path / "other.pth").write_bytes(changed)
        with pytest.raises(EosfmError, match=message):
            bundle(task, tmp_path / "other.pth", tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


def another(artifact: Path, path: Path) -> bytes:
    """An ensemble of fewer specialists."""
    from eosfm.encoding.artifact import load_artifact, save_artifact

    save_artifact(path, load_artifact(artifact)[:1])
    return path.read_bytes()
