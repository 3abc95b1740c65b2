"""Which GPUs a process may use."""

import pynvml
import pytest

from eosfm.cluster.gpus import visible_devices, visible_gpus


def test_jobs_that_each_call_their_own_gpu_0_are_told_apart(monkeypatch):
    """As in SLURM's jobs, whose driver shows them no other."""

    def handle(number):
        if number:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return "handle"

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: "GPU-7b")
    for named, told in (("0", "GPU-7b"), ("MIG-5", "MIG-5"), ("3", "3"), ("", "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert visible_devices() == told


@pytest.mark.parametrize(("named", "gpus"), [("", []), ("-1", []), ("0,GPU-7b", ["0", "GPU-7b"])])
def test_gpus_go_by_the_names_that_cuda_takes(monkeypatch, named, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == gpus
