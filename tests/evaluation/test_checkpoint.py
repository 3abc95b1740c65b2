"""A killed fit goes on where it was, and ends as if nothing had happened."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Splits
from eosfm.evaluation.baselines import FIXED, from_scratch
from eosfm.evaluation.checkpoint import Checkpoint, Checkpoints
from eosfm.evaluation.fit import Context, _Progress
from eosfm.evaluation.head import run_head
from eosfm.evaluation.learner import Learner
from eosfm.features.encode import encode_task, open_features
from eosfm.features.reading import read_split
from tests.fixtures.tasks import BACKBONE

STEPS = 8


class Killed(Exception):
    pass


@pytest.fixture
def checkpoints(artifact, features, tmp_path, monkeypatch) -> Checkpoints:
    monkeypatch.setattr("eosfm.evaluation.checkpoint.SECONDS", 0.0)
    return Checkpoints(tmp_path / "fits", "evaluate.py", (artifact,))


@pytest.fixture
def steps(monkeypatch):
    """The number of steps taken; ``steps.limit`` kills whoever takes one more."""

    class Steps:
        taken, limit = 0, None

    count, step = Steps(), Learner.step

    def counted(self, *args):
        if count.taken == count.limit:
            raise Killed
        count.taken += 1
        return step(self, *args)

    monkeypatch.setattr(Learner, "step", counted)
    return count


def resumed(run, steps, kills, checkpoints):
    """The result of a run that is killed so many steps after each start."""
    checkpoints.clear()
    for limit in kills:
        steps.taken, steps.limit = 0, limit
        with pytest.raises(Killed):
            run()
    steps.taken, steps.limit = 0, None
    return run()


def test_stored_features(resolve, opened, checkpoints, steps):
    task, log = resolve("series", protocol={"seeds": 1}), []

    def run(follow=None):
        return run_head(task, FIXED, opened("series"), 1, Context(follow, checkpoints))

    whole = run(lambda point, epoch: log.append((epoch, point)))
    again = []
    result = resumed(
        lambda: run(lambda *point: again.append(point[::-1])), steps, (3, 5, 7), checkpoints
    )
    assert result == whole
    assert steps.taken == 3 * STEPS - 3 - 5 - 7
    assert again[-3:] == log  # the curve is told again from its start
    # What is finished is not fitted again, until the stage is done.
    steps.taken = 0
    assert run() == whole and steps.taken == 0
    checkpoints.clear()
    assert not checkpoints.folder.exists()


def test_fits_in_lock_step(resolve, artifact, checkpoints, steps, tmp_path, monkeypatch):
    task = resolve("segmentation", protocol={"window": 16})
    encode_task(task, artifact, tmp_path / "features", max_gb=0.0)
    splits = open_features(task, tmp_path / "features", artifact)

    def run():
        return run_head(task, FIXED, splits, 2, Context(checkpoints=checkpoints))

    whole = run()
    # The second is killed when one of the two fits has taken a step that the other has not.
    assert resumed(run, steps, (2 * 9, 7), checkpoints) == whole
    assert steps.taken == 2 * (3 * STEPS - 9 - 3)


def test_models_that_are_trained_from_the_pixels_on(resolve, checkpoints, steps):
    task = resolve("classification", protocol={"epochs": 2, "steps_per_epoch": 3})
    readings = Splits.of(lambda split: read_split(task, split))

    def run():
        return from_scratch(task, BACKBONE, readings, 1, 1.0, Context(checkpoints=checkpoints))

    whole = run()
    assert resumed(run, steps, (4,), checkpoints) == whole
    assert steps.taken == 2


def test_whatever_decides_a_fit_names_its_checkpoint(resolve, artifact, tmp_path):
    def named(decisive, script="evaluate.py", files=(artifact,)):
        return Checkpoint(Checkpoints(tmp_path, script, files), decisive).path

    other = tmp_path / "other"
    other.write_text("")
    names = [
        named("a"), named("b"), named("a", "train.py"), named("a", files=(other,))
    ]  # fmt: skip
    assert len(set(names)) == 4 and named("a") == names[0]


def test_settings_are_plain_and_complete(resolve):
    from eosfm.evaluation.trial import make_trials

    def settings(**changes):
        task = resolve("segmentation", **changes)
        return repr(make_trials(task, [task.store.split("train").target(0)], 1)[0].settings())

    assert settings() == settings(protocol={"workers": 3})
    assert settings() != settings(protocol={"lr": 1e-4})
    assert settings() != settings(segmentation={"head": "linear"})
    assert " at 0x" not in settings()


def test_the_losses_of_an_epoch_are_one_tensor_however_many():
    progress, again = _Progress([], None), _Progress([], None)
    for step in range(3):
        progress.step(torch.tensor([step, 2.0]))
    state = progress.state()
    assert state["losses"].tolist() == [[0, 2], [1, 2], [2, 2]]
    again.load(state)
    assert again.state()["losses"].equal(state["losses"])


def test_a_damaged_checkpoint_is_named_and_its_fits_start_again(
    resolve, opened, checkpoints, steps, capsys
):
    def run():
        return run_head(
            resolve("change"), FIXED, opened("change"), 1, Context(checkpoints=checkpoints)
        )

    whole = run()
    checkpoints.clear()
    steps.taken, steps.limit = 0, 2
    with pytest.raises(Killed):
        run()
    (path,) = checkpoints.folder.iterdir()
    path.write_bytes(path.read_bytes()[:100])
    steps.taken, steps.limit = 0, None
    assert run() == whole and steps.taken == 3 * STEPS
    assert "checkpoint dropped, its fits start again" in capsys.readouterr().out


def test_a_fit_that_diverges_stops_with_a_line(resolve, opened, monkeypatch):
    step = Learner.step
    monkeypatch.setattr(Learner, "step", lambda *args: step(*args) * float("nan"))
    with pytest.raises(EosfmError, match="fitting change diverged: loss nan in epoch 1"):
        run_head(resolve("change"), FIXED, opened("change"), 1)


def test_what_has_diverged_is_not_kept(resolve, opened, checkpoints, steps, monkeypatch):
    """Weights may be lost while the loss is still a number: the last good state stays."""
    task = resolve("change")

    def run():
        return run_head(task, FIXED, opened("change"), 1, Context(checkpoints=checkpoints))

    whole, step = run(), Learner.step
    checkpoints.clear()

    def struck(self, *args):
        loss = step(self, *args)
        if steps.taken > 5:
            self.parameters[0].data.fill_(float("nan"))
        return loss

    with monkeypatch.context() as once, pytest.raises(EosfmError, match="diverged"):
        once.setattr(Learner, "step", struck)
        steps.taken = 0
        run()
    steps.taken = 0
    assert run() == whole and steps.taken == 3 * STEPS - 5
