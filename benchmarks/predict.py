"""How fast and in how much memory a scene is mapped.

python benchmarks/predict.py rate sen1floods11     # against the model on windows in memory
python benchmarks/predict.py memory sen1floods11   # a large scene, most of it without measurements

Needs the artifact and the fits of a `dvc repro`. Scenes are noise of the task's statistics.
"""

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
import torch
import typer
from rasterio.transform import from_origin
from rasterio.windows import Window

from eosfm.evaluation.fitted import FittedTask, read_fitted
from eosfm.prediction.cut import Cut
from eosfm.prediction.model import load_model
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions
from eosfm.prediction.windows import Sweep

ARTIFACT = Path("models/eosfm.pth")
ROWS = 512
CLOCKS = "wall time", "processor time"

Times = tuple[float, float]
"""Seconds by each of :data:`CLOCKS`; the second tells more where other work is done."""

app = typer.Typer()


@app.command()
def rate(task: str, side: int = 2048, window: int = 512, overlap: int = 64, turns: int = 3) -> None:
    """Windows per second from file to file, over those of the model alone."""
    file = Path("models/tasks") / f"{task}.pt"
    fitted = read_fitted(file)
    cut = Cut(window, overlap)
    model = load_model(fitted, ARTIFACT).to(cut.where)
    batch = cut.load(Sweep.blended((side, side), window, overlap)).batch
    images = torch.randn(batch, 1, len(fitted.bands), window, window, device=cut.where)
    days = torch.zeros(batch, 1, device=cut.where)
    across = 1 + -(-(side - window) // (window - overlap))
    alone: list[Times] = []
    whole: list[Times] = []
    with tempfile.TemporaryDirectory() as folder:
        scene, out = Path(folder) / "scene.tif", Path(folder) / "map.tif"
        write_noise(scene, fitted, (side, side), side)
        for _ in range(turns):  # in turns, since other work may come and go
            with taking(alone), torch.inference_mode():
                for _ in range(-(-(across**2) // batch)):
                    model(images, days).cpu()
            with taking(whole):
                predict(file, ARTIFACT, [str(scene)], out, ReadOptions(), cut)
    print(f"{across**2} windows of {window} px of a scene of {side} px")
    for what, model_s, predict_s in zip(CLOCKS, least(alone), least(whole), strict=True):
        print(f"{what}: model {model_s:.1f} s, predict {predict_s:.1f} s", end=", ")
        print(f"rate {model_s / predict_s:.2f}")


@app.command()
def memory(
    task: str,
    height: int = 10_000,
    width: int = 10_000,
    measured: int = 1_000,
    window: int = 512,
    overlap: int = 64,
) -> None:
    """Peak memory of a large scene of which some rows were measured: all are read and written."""
    file = Path("models/tasks") / f"{task}.pt"
    with tempfile.TemporaryDirectory() as folder:
        scene, out = Path(folder) / "scene.tif", Path(folder) / "map.tif"
        write_noise(scene, read_fitted(file), (height, width), measured)
        before = peak_gib()
        start = time.perf_counter()
        predict(file, ARTIFACT, [str(scene)], out, ReadOptions(), Cut(window, overlap))
        print(f"{height}x{width}: {time.perf_counter() - start:.0f} s, map {out.stat().st_size} B")
    print(f"peak memory {peak_gib():.2f} GiB ({before:.2f} before)")


def write_noise(path: Path, fitted: FittedTask, size: tuple[int, int], measured: int) -> None:
    """Write a scene, NaN below its first rows."""
    rng = np.random.default_rng(0)
    mean, std = (
        np.array(values, np.float32)[:, None, None] for values in (fitted.mean, fitted.std)
    )
    with rasterio.open(
        path, "w", driver="GTiff", height=size[0], width=size[1], count=len(fitted.bands),
        dtype="float32", nodata=np.nan, crs="EPSG:32633", tiled=True, compress="lzw",
        transform=from_origin(0, 0, 10, 10), bigtiff="if_safer", sparse_ok=True,
    ) as raster:  # fmt: skip
        raster.descriptions = fitted.bands
        for row in range(0, min(measured, size[0]), ROWS):
            rows = min(ROWS, measured - row, size[0] - row)
            noise = 2 * rng.random((len(mean), rows, size[1]), np.float32) - 1
            raster.write(mean + std * noise, window=Window(0, row, size[1], rows))


@contextmanager
def taking(times: list[Times]) -> Iterator[None]:
    """Note how long something takes."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    times.append((time.perf_counter() - wall, time.process_time() - processor))


def least(times: list[Times]) -> Times:
    """The least of each clock."""
    wall, processor = zip(*times, strict=True)
    return min(wall), min(processor)


def peak_gib() -> float:
    """Largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    app()
