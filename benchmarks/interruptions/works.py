"""What is stopped: one stage of each kind, and the tools."""

import json
import random
import sys
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path

import yaml

from tests.faults.test_archives import tarred, zipped
from tests.fixtures.server import Fault, Server
from tests.pipeline.conftest import Project

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
STAGES = {
    "watch": "", "download": "levircdplus", "tile": "levircdplus", "start": "",
    "train": "levircdplus", "export": "", "features": "xview2", "evaluate": "xview2",
    "baseline": "xview2", "report": "",
}  # fmt: skip
"""The item of each stage that is stopped, with fits by steps where there are fits."""
ITEMS = {
    "download": "datasets", "tile": "datasets", "train": "specialists", "features": "tasks",
    "evaluate": "tasks", "baseline": "tasks",
}  # fmt: skip
SCRATCH = (".cache/training", ".cache/evaluate", ".cache/baseline")
KEPT_BY = {
    "train": ".cache/training/*/last.ckpt",
    "evaluate": ".cache/evaluate/**/*.pt",
    "baseline": ".cache/baseline/**/*.pt",
}


@dataclass(frozen=True)
class Work:
    """What is stopped.

    Attributes:
        title: For the table.
        folder: Where it runs.
        words: Its command line. A Python script runs in forks of a process that has its imports.
        made: Files and folders in ``folder`` that it makes.
        removed: What is removed before each run, the repeated one included.
        fresh: What is removed before it begins anew.
        kept: Pattern of the files from which an interrupted run is gone on with.
    """

    title: str
    folder: Path
    words: tuple[str, ...]
    made: tuple[str, ...]
    removed: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    kept: str = ""


def as_work(project: Path, stage: str, item: str) -> Work:
    """A stage with the outs that DVC knows of it."""
    entries: dict[str, dict] = {}
    for name in ("data/dvc.yaml", "dvc.yaml"):
        entries |= yaml.safe_load((project / name).read_text())["stages"]
    entry = entries[stage].get("do", entries[stage])
    listed = [*entry["outs"], *entry.get("metrics", [])]
    paths = [out if isinstance(out, str) else next(iter(out)) for out in listed]
    outs = tuple(path.replace("${key}", item) for path in paths)
    words = (str(ROOT / "stages" / f"{stage}.py"), *filter(None, [item]))
    return Work(stage, project, words, outs, outs, SCRATCH, KEPT_BY.get(stage, ""))


def repro(project: Path, folder: Path) -> Work:
    """The pipeline of the data by two workers, with a cache of its own."""
    Project(project).run("git", "clone", "-q", str(project), str(folder))
    made = ("data/raw", "data/tiles", "data/roots", "results/download", "results/tile")
    fresh = (*made, "data/dvc.lock", ".dvc/cache", ".dvc/tmp", ".cache")
    words = (str(SCRIPTS / "eosfm"), "repro", "--workers", "2", "data/dvc.yaml")
    return Work("eosfm repro", folder, words, made[:3], fresh=fresh, kept=".dvc/cache/runs/*/*/*")


def predict(project: Path, folder: Path) -> Work:
    """The map of a scene of two dates, by windows."""
    from benchmarks.predict import write_noise
    from eosfm.evaluation.fitted import read_fitted

    folder.mkdir()
    task, artifact = project / "models/tasks/xview2.pt", project / "models/eosfm.pth"
    for name in ("before.tif", "after.tif"):
        write_noise(folder / name, read_fitted(task), (640, 512), 640)
    words = (
        str(SCRIPTS / "eosfm"), "predict", "before.tif", "after.tif", "--task", str(task),
        "--artifact", str(artifact), "-o", "map.tif", "--window", "128", "--overlap", "32",
    )  # fmt: skip
    return Work("predict", folder, words, ("map.tif",), fresh=("map.tif",), kept=".map.tif.*/*.npz")


def fetch(folder: Path, server: Server) -> Work:
    """Three archives from a slow server of this machine, one of them without a checksum."""
    folder.mkdir()
    data = random.Random(1).randbytes(600_000)
    archives = [
        server.describe(zipped(("zip/a.bin", data), ("zip/b.bin", data[9:]), method=0), "/a.zip"),
        server.describe(tarred(("tar/a.bin", data)), "/b.tar.gz", checksum=None),
        server.describe(data, "/plain.bin", extract=None),
    ]
    for archive in archives:
        server.faults[f"/{archive.filename}"] = repeat(Fault(pace=0.004))
    facts = {"root": "toy", "trusted": "trusted", "archives": [asdict(one) for one in archives]}
    (folder / "facts.json").write_text(json.dumps(facts))
    words = (str(ROOT / "tests/faults/fetching_process.py"), "facts.json")
    made = ("toy/zip", "toy/tar", "toy/plain.bin", "trusted")  # records have the times of files
    return Work("fetch", folder, words, made, fresh=("toy", "trusted"), kept="toy/*.part")
