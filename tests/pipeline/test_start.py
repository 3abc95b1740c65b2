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
    # Lightning brings the others.
    "train": {"torch", "lightning", "torchmetrics", "torchvision", "matplotlib", "scipy"},
    "export": {"torch"},
    "features": {"torch"},
    "evaluate": {"torch"},
    "baseline": {"torch"},
    "analyse": {"torch"},
    "report": set(),
    "report_analyses": {"matplotlib"},
}
"""What may be loaded before a stage looks at its arguments."""


def test_every_stage_is_listed():
    assert set(MAY_LOAD) == {file.stem for file in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", MAY_LOAD)
def test_a_stage_starts_with_what_it_runs(stage):
    script = f"import runpy, sys; runpy.run_path('stages/{stage}.py'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert set(done.stdout.split()) & HEAVY <= MAY_LOAD[stage]
