"""The pipeline's stages on a GPU, and a map by what they made."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin

from tests.pipeline.conftest import KEPT, ROOT, tiny_params

DATASETS, TASKS = KEPT["datasets"], KEPT["tasks"]
LAST = {"export": ("",), "features": TASKS}
MADE = {"watch": ("",), "download": DATASETS, "tile": DATASETS, "start": ("",)}
TRAINED = {"train": KEPT["specialists"]}
SCORED = {"evaluate": TASKS, "baseline": TASKS}
CLI = ("-c", "from eosfm.cli import main; main()")


def python(folder: Path, *words: str) -> str:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": path},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_stages(folder: Path, kinds: dict[str, tuple[str, ...]]) -> None:
    """Those of one kind side by side; of several kinds, none of which needs another."""
    jobs = [(kind, name) for kind, names in kinds.items() for name in names]

    def run(job: tuple[str, str]) -> None:
        python(folder, str(ROOT / "stages" / f"{job[0]}.py"), *filter(None, job[1:]))

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, jobs))


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny_params(), sort_keys=False))
    for kind, names in (MADE | TRAINED | LAST).items():
        run_stages(folder, {kind: names})
    run_stages(folder, SCORED)
    return folder


def scores(value: object, at: str = "") -> Iterator[tuple[str, float]]:
    """Every score of a result, by where it stands."""
    if isinstance(value, (dict, list)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from scores(entry, f"{at}/{key}")
    elif at.endswith("/score") or "/test/" in at:
        yield at, value


def results(folder: Path) -> dict[str, float]:
    return {
        f"{path}{at}": score
        for kind in ("train", "evaluate", "baseline")
        for path in sorted(folder.glob(f"results/{kind}/*/metrics.json"))
        for at, score in scores(json.loads(path.read_text()))
    }


def test_a_second_run_gives_the_same_scores(ran):
    # To a few pixels: adaptive pooling has no deterministic gradient there.
    first = results(ran)
    run_stages(ran, TRAINED | SCORED)
    assert len(first) > 20
    assert results(ran) == pytest.approx(first, abs=0.05)


def test_a_map_is_that_of_the_cpu(ran):
    rng = np.random.default_rng(0)
    for scene in ("before.tif", "after.tif"):
        with rasterio.open(
            ran / scene, "w", driver="GTiff", height=300, width=200, count=3, dtype="uint8",
            crs="EPSG:32633", transform=from_origin(0, 0, 1, 1),
        ) as raster:  # fmt: skip
            raster.descriptions = ("red", "green", "blue")
            raster.write(rng.integers(1, 255, (3, 300, 200), np.uint8))
    maps = []
    for device in ("cuda", "cpu"):
        words = ("predict", "before.tif", "after.tif", "--task", "xview2", "--device", device)
        python(ran, *CLI, *words, "-o", f"{device}.tif", "--probabilities")
        with rasterio.open(ran / f"{device}.tif") as raster:
            maps.append(raster.read())
    assert maps[0].shape == maps[1].shape == (5, 300, 200)
    assert np.abs(maps[0] - maps[1]).mean() < 0.05
