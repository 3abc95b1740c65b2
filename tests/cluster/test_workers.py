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


@pytest.mark.parametrize(
    ("gpus", "cores", "memory", "count"),
    [([], 16, 64e9, 16), ([], 16, 16e9, 6), ([], 4, 2e9, 1), (["0", "1"], 16, 4e9, 2)],
)
def test_as_many_as_cores_and_memory_allow(monkeypatch, capsys, gpus, cores, memory, count):
    monkeypatch.setattr(workers, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    monkeypatch.setattr("distributed.system.memory_limit", lambda: memory)
    assert workers.usual_count() == count
    fewer = not gpus and count < cores
    assert capsys.readouterr().out.startswith(f"{count} at a time, not {cores}: ") == fewer
