"""What workers of this machine are for."""

import pytest

from eosfm.cluster import workers
from eosfm.core.errors import EosfmError


@pytest.mark.parametrize(
    ("trainer", "stages", "gpus", "refused"),
    [
        ("{devices: 8, accelerator: auto}", ["export", "train@a"], ["0"], True),
        ("{devices: 8, accelerator: auto}", ["features@a"], ["0"], False),
        ("{devices: 8, accelerator: auto}", ["train@a"], [], False),
        ("{devices: 8, accelerator: cpu}", ["train@a"], ["0"], False),
        ("{devices: 1, accelerator: auto}", ["train@a"], ["0"], False),
        ("{devices: auto, accelerator: auto}", ["train@a"], ["0"], False),
    ],
)
def test_a_training_on_several_gpus_is_refused(
    tmp_path, monkeypatch, trainer, stages, gpus, refused
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "visible_gpus", lambda: gpus)
    (tmp_path / "params.yaml").write_text(f"trainer: {trainer}\n")
    if not refused:
        return workers.insist_on_one_device(stages)
    with pytest.raises(EosfmError, match=r"devices is 8, and each worker has one GPU; set"):
        workers.insist_on_one_device(stages)
