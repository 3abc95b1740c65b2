"""A stage's start loads what the stage runs: heavy packages cost seconds each."""

import subprocess
import sys

import pytest

from .conftest import ROOT

HEAVY = {
    "torch", "timm", "torchvision", "torchmetrics", "lightning", "scipy", "pandas", "geopandas",
    "matplotlib", "torchgeo", "rasterio", "codecarbon", "dvclive", "dvc",
}  # fmt: skip
MAY_LOAD: dict[str, set[str]] = {
    "watch": set(),
    "download": set(),
    "tile": set(),
    "start": {"torch"},
    "train": set(),
    "export": {"torch"},
    "features": {"torch"},
    "evaluate": {"torch"},
    "baseline": {"torch"},
    "analyse": {"torch"},
    "report": set(),
    "report_analyses": {"matplotlib"},
}
"""What may be loaded before a stage looks at its arguments."""

TRAINING = {"torch", "lightning", "torchmetrics", "torchvision", "matplotlib", "scipy"}
"""What training loads within its meter: Lightning, and what that brings, used or not."""


def loaded(script: str) -> set[str]:
    """The heavy packages that a script loads."""
    command = [sys.executable, "-c", f"{script}; import sys; print(*sys.modules)"]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True)
    return set(done.stdout.split()) & HEAVY


def test_every_stage_is_listed():
    assert set(MAY_LOAD) == {file.stem for file in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", MAY_LOAD)
def test_a_stage_starts_with_what_it_runs(stage):
    assert loaded(f"import runpy; runpy.run_path('stages/{stage}.py')") <= MAY_LOAD[stage]


def test_training_loads_lightning_and_what_that_brings():
    assert loaded("import eosfm.training.train") == loaded("import lightning") == TRAINING
