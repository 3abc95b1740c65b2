"""The file of what test scores follow from."""

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.evaluation.evidence import FEWEST, read_evidence, scenes_of, write_evidence
from eosfm.evaluation.result import Fit
from eosfm.evaluation.summary import summarise


@pytest.fixture
def task(resolve):
    return resolve("segmentation")


def results(task):
    """Two fits of one model, one of another."""
    rng = np.random.default_rng(0)
    classes, count = len(task.classes), len(task.store.split("test"))
    tiles = rng.integers(1, 9, (3, count, classes, classes)).astype(np.int32)
    scores = {task.metric: 0.5}
    fits = [Fit(scores, scores, 1, one) for one in tiles]
    return {
        "eosfm": summarise(task, fits[:2], 4),
        "random": summarise(task, fits[2:], 4),
    }


def test_what_is_written_is_read_back_and_gives_the_scores(task, tmp_path):
    written = results(task)
    write_evidence(tmp_path / "tiles.npz", task, written)
    found = read_evidence(tmp_path / "tiles.npz", "evaluate@a")
    for name, result in written.items():
        np.testing.assert_array_equal(found.models[name], [fit.tiles for fit in result.fits])
    once = np.ones((1, len(found.scenes)))
    scores = found.scores("eosfm", once)["accuracy"]
    matrices = [fit.tiles.sum(0) for fit in written["eosfm"].fits]
    assert scores[:, 0] == pytest.approx([m.trace() / m.sum() for m in matrices])
    np.testing.assert_array_equal(found.confusion("eosfm"), sum(matrices))


def test_same_content_same_bytes(task, tmp_path):
    for name in ("a", "b"):
        write_evidence(tmp_path / name, task, results(task))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_tiles_of_one_file_are_one_scene_where_there_are_enough_files():
    many = np.array([f"{number // 2}.tif" for number in range(2 * FEWEST)])
    assert len(set(scenes_of(many))) == FEWEST
    assert (scenes_of(many)[::2] == scenes_of(many)[1::2]).all()
    few = many[: 2 * FEWEST - 2]
    assert scenes_of(few).tolist() == list(range(len(few)))


def test_a_missing_or_damaged_file_is_one_line(task, tmp_path):
    path = tmp_path / "tiles.npz"
    with pytest.raises(EosfmError, match=r"not found; run `dvc repro evaluate@a`"):
        read_evidence(path, "evaluate@a")
    write_evidence(path, task, results(task))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EosfmError, match=r"damaged \(.*\); run `dvc repro -f evaluate@a`"):
        read_evidence(path, "evaluate@a")
