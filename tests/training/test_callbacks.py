"""When several processes agree on a checkpoint."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from eosfm.training.callbacks import LOOK, Checkpoints, Record


@pytest.mark.parametrize(("processes", "looks"), [(1, 3 * LOOK), (2, 3)])
def test_processes_do_not_wait_for_each_other_at_every_step(processes: int, looks: int) -> None:
    asked: list[bool] = []
    within = SimpleNamespace(batch_progress=SimpleNamespace(is_last_batch=False))
    trainer = SimpleNamespace(
        world_size=processes,
        fit_loop=SimpleNamespace(epoch_loop=within),
        strategy=SimpleNamespace(broadcast=lambda due: asked.append(due)),
    )
    checkpoints = Checkpoints(Path("last.ckpt"), Record("miou", "toy"))
    for step in range(1, 3 * LOOK + 1):
        trainer.global_step = step
        checkpoints.on_train_batch_end(trainer)
    assert len(asked) == looks
