"""Evaluation that encodes as it goes: its memory, whatever the size of the dataset, and its rate.

python benchmarks/encode.py sen1floods11   # the task's store once, and repeated 8 times
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

REPEATS = (1, 8)
SEEDS = 3
WINDOW = 32
"""Pixels: tiles of 64 px have four windows, as those of 1,024 have at the full scale."""


def repeat(store: Path, out: Path, times: int) -> None:
    """A store in which the shards of another occur several times, as links."""
    import pyarrow
    from pyarrow import parquet

    facts = json.loads((store / "store.json").read_text())
    for split, of in facts["splits"].items():
        (out / split).mkdir(parents=True)
        files = {}
        for shard in sorted((store / split).glob("*.npy")):
            name, number = shard.stem.rsplit("-", 1)
            for again in range(times):
                link = f"{name}-{int(number) + again * len(of['rows']):05d}.npy"
                (out / split / link).symlink_to(shard.resolve())
                files[link] = of["files"][shard.name]
        table = parquet.read_table(store / split / "tiles.parquet")
        path = out / split / "tiles.parquet"
        parquet.write_table(pyarrow.concat_tables([table] * times), path)
        files[path.name] = {"bytes": path.stat().st_size, "crc32": zlib.crc32(path.read_bytes())}
        facts["splits"][split] = {"rows": of["rows"] * times, "files": files}
    (out / "store.json").write_text(json.dumps(facts))


def one(name: str, folder: Path, artifact: Path) -> None:
    """Fit a task's heads for one epoch, and print what it took as JSON."""
    from eosfm.evaluation.baselines import FIXED
    from eosfm.evaluation.head import run_head
    from eosfm.features.encode import encode_task, open_features
    from eosfm.features.task import Task
    from eosfm.params import load_params
    from eosfm.tiles.store import TileStore

    params = load_params()
    task = Task.resolve(params, name, TileStore(folder / "store"))
    protocol = {"window": WINDOW, "epochs": 1, "steps_per_epoch": None, "label_fraction": 1.0}
    data = params.model_dump()
    data["scales"][params.scale]["protocol"] |= protocol
    task = Task.resolve(type(params).model_validate(data), name, task.store)
    start = time.perf_counter()
    encode_task(task, artifact, folder / "features", max_gb=0.0)
    splits = open_features(task, folder / "features", artifact)
    run_head(task, FIXED.model_copy(update={"max_encoders": 2}), splits, SEEDS)
    tiles = sum(map(len, splits))
    rate = tiles / (time.perf_counter() - start)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"tiles": tiles, "mb": megabytes, "rate": rate}))


def main(
    name: str,
    tiles: Path = Path("data/tiles"),
    artifact: Path = Path("models/eosfm.pth"),
    store: Path | None = None,
) -> None:
    """Fit the heads of task NAME on its store, repeated; each in a process of its own."""
    if store is not None:
        one(name, store, artifact)
        return
    from eosfm.params import load_params

    dataset = load_params().task(name).dataset
    table = Table("times", "tiles", "peak MB", "tiles/s")
    for times in REPEATS:
        folder = Path(tempfile.mkdtemp())
        try:
            repeat(tiles / dataset, folder / "store", times)
            command = [sys.executable, __file__, name, "--artifact", str(artifact)]
            command += ["--store", str(folder)]
            printed = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ
            ).stdout
        finally:
            shutil.rmtree(folder)
        found = json.loads(printed.splitlines()[-1])
        row = (found["tiles"], f"{found['mb']:.0f}", f"{found['rate']:.2f}")
        table.add_row(str(times), *map(str, row))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
