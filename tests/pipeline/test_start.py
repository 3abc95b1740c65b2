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


def loaded(*scripts: str) -> list[set[str]]:
    """The heavy packages that one process holds after each of these scripts."""
    show = "import sys; print(*sys.modules)"
    code = "\n".join(line for script in scripts for line in (script, show))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
    )
    return [set(line.split()) & HEAVY for line in done.stdout.splitlines()]


def test_every_stage_is_listed():
    assert set(MAY_LOAD) == {file.stem for file in (ROOT / "stages").glob("*.py")}


@pytest.mark.parametrize("packages", sorted({tuple(sorted(may)) for may in MAY_LOAD.values()}))
def test_a_stage_starts_with_what_it_runs(packages):
    """Stages that may load the same, one after the other in one process."""
    stages = [stage for stage, may in MAY_LOAD.items() if may == set(packages)]
    held = loaded(*(f"import runpy; runpy.run_path('stages/{stage}.py')" for stage in stages))
    too_much = {stage: found - set(packages) for stage, found in zip(stages, held, strict=True)}
    assert not any(too_much.values()), too_much


def test_training_loads_lightning_and_no_more():
    ours = "import eosfm.core.loading as l\nwith l.loading(): import eosfm.training.train"
    assert loaded(ours) == [TRAINING]


def test_metrics_load_no_more_than_they_use():
    (held,) = loaded("import eosfm.heads.metrics")
    assert held == {"torch", "torchmetrics", "torchvision"}
