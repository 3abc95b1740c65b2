"""What workers of this machine are for."""

import pytest

from eosfm.cluster import workers
from eosfm.core.errors import EosfmError


@pytest.mark.parametrize(
    ("params", "stages", "gpus", "refused"),
    [
        ("trainer: {devices: 8, accelerator: auto}", ["export", "train@a"], ["0"], "trainer"),
        ("trainer: {devices: 8, accelerator: auto}", ["features@a"], ["0"], None),
        ("trainer: {devices: 8, accelerator: auto}", ["train@a"], [], None),
        ("trainer: {devices: 8, accelerator: cpu}", ["train@a"], ["0"], None),
        ("trainer: {devices: 1, accelerator: auto}", ["train@a"], ["0"], None),
        ("trainer: {devices: auto, accelerator: auto}", ["train@a"], ["0"], None),
        ("tasks: {a: {devices: 8}}", ["evaluate@a"], ["0"], "tasks.a"),
        ("{defaults: {tasks: {devices: 8}}, tasks: {a: {}}}", ["baseline@a"], ["0"], "tasks.a"),
        ("{defaults: {tasks: {devices: 8}}, tasks: {a: {devices: 1}}}", ["baseline@a"], [0], None),
        ("tasks: {a: {devices: 8}, b: {}}", ["features@a", "evaluate@b"], ["0"], None),
    ],
)  # fmt: skip
def test_a_stage_on_several_gpus_is_refused(tmp_path, monkeypatch, params, stages, gpus, refused):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "visible_gpus", lambda: gpus)
    (tmp_path / "params.yaml").write_text(params)
    if refused is None:
        return workers.insist_on_one_device(stages)
    line = f"^{refused}.devices is 8, and each worker has one GPU; set {refused}.devices=1, or"
    with pytest.raises(EosfmError, match=line):
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
