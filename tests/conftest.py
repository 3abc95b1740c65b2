"""Fixtures that every room's tests share."""

import gc
import os
from pathlib import Path

import pytest

gc.disable()  # until all is imported, of which nothing is garbage

if not os.environ.get("EOSFM_TEST_GPU"):
    # What the tests compare are the numbers of a CPU, on whatever machine. tests/test_gpu.py runs
    # those of tests/gpu where there is a GPU.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    collect_ignore = ["gpu"]

LONGEST = (
    "tests/pipeline/test_pipeline.py",
    "tests/cluster/test_repro.py",
    "tests/pipeline/test_sharing.py",
    "tests/pipeline/test_own.py",
    "tests/interop/test_onnx_task.py",
    "tests/cluster/test_scheduler.py",
    "tests/planning/test_work.py",
    "tests/interop/test_onnx.py",
    "tests/test_docs_commands.py",
    "tests/planning/test_rehearsal.py",
    "tests/training/test_distributed.py",
    "tests/pipeline/test_status.py",
)
"""The longest files: begun first, so that no process has one before it when the other is done."""

pytest_plugins = [
    "tests.fixtures.artifacts",
    "tests.fixtures.commands",
    "tests.fixtures.ensembles",
    "tests.fixtures.native",
    "tests.fixtures.server",
    "tests.fixtures.tasks",
    "tests.fixtures.scenes",  # imports tasks, whose assertions pytest rewrites first
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.location[0], len(order)))


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, and less often: a tenth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20)
    gc.enable()


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of small real samples; the test is skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "samples"
    folder = Path(os.environ.get("EOSFM_SAMPLES", beside))
    if not folder.is_dir():
        pytest.skip(f"no real samples at {folder}")
    return folder
