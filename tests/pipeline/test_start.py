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
    "report": {"matplotlib"},  # which draws all that it shows
    "report_analyses": {"matplotlib"},
}
"""What may be loaded before a stage looks at its arguments."""

TRAINING = {"torch", "lightning", "torchmetrics", "torchvision"}
"""What training loads within its meter: Lightning, and what that brings, but for what it would not
use."""

METRICS = "import eosfm.heads.metrics"
TRAIN = "import eosfm.core.loading as l\nwith l.loading(): import eosfm.training.train"


def scripts(*packages: str) -> list[str]:
    """The stages that may load just these."""
    return [stage for stage, may in MAY_LOAD.items() if may == set(packages)]


@pytest.fixture(scope="module")
def held() -> dict[str, set[str]]:
    """The heavy packages that a process holds after each script.

    Those that may load more come after those that may load less, in the same process: a start of
    Python with torch takes seconds.
    """
    found = {}
    for begun in ([*scripts(), *scripts("torch"), METRICS, TRAIN], scripts("matplotlib")):
        lines = [
            f"import runpy; runpy.run_path('stages/{one}.py')" if one in MAY_LOAD else one
            for one in begun
        ]
        code = "\n".join(f"{line}\nimport sys; print(*sys.modules)" for line in lines)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
        )
        seen = [set(line.split()) & HEAVY for line in done.stdout.splitlines()]
        found |= dict(zip(begun, seen, strict=True))
    return found


def test_every_stage_is_listed():
    assert set(MAY_LOAD) == {file.stem for file in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("stage", MAY_LOAD)
def test_a_stage_starts_with_what_it_runs(held, stage):
    assert held[stage] <= MAY_LOAD[stage]


def test_training_loads_lightning_and_no_more(held):
    assert held[TRAIN] == TRAINING


def test_metrics_load_no_more_than_they_use(held):
    assert held[METRICS] == {"torch", "torchmetrics", "torchvision"}
