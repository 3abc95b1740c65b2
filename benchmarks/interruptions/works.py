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

TOOLS = {
    "predict": (
        "before.tif after.tif --task models/tasks/xview2.pt -o map.tif --window 128 --overlap 32",
        ("map.tif", "map.tif.aux.xml"),
    ),
    "embed": ("scene.tif -o features.tif --window 128 --overlap 32", ("features.tif",)),
    "merge": ("models/eosfm.pth models/eosfm.pth -o all.pth --prefix a_ b_", ("all.pth",)),
    "prune": ("models/eosfm.pth -o rgb.pth --keep eurosat_rgb", ("rgb.pth",)),
    "export": ("models/eosfm.pth hub", ("hub",)),
    "onnx": ("--task eurosat -o eurosat.onnx", ("eurosat.onnx",)),
}
"""Arguments of commands of ``eosfm``, and what they make."""


@dataclass(frozen=True)
class Work:
    """What is stopped.

    Attributes:
        title: For the table.
        folder: Where it runs.
        words: Its command line, a Python script first.
        forked: Whether it runs in forks of a process that has its imports.
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
    forked: bool = True


def as_work(project: Path, stage: str, item: str) -> Work:
    """A stage with the outs that DVC knows of it."""
    entries: dict[str, dict] = {}
    for name in ("data/watch/dvc.yaml", "data/dvc.yaml", "dvc.yaml"):
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
    fresh = (*made, "data/dvc.lock", "data/watch/dvc.lock", ".dvc/cache", ".dvc/tmp", ".cache")
    words = (str(SCRIPTS / "eosfm"), "repro", "--workers", "2", "data/dvc.yaml")
    kept = ".dvc/cache/runs/*/*/*"
    return Work("eosfm repro", folder, words, made[:3], fresh=fresh, kept=kept, forked=False)


def tool(project: Path, name: str) -> Work:
    """One of :data:`TOOLS` in a small project."""
    words, made = TOOLS[name]
    kept = ".*.rows/*.npz" if name in ("predict", "embed") else ""
    return Work(f"eosfm {name}", project, (str(SCRIPTS / "eosfm"), name, *words.split()), made,
                fresh=made, kept=kept)  # fmt: skip


def write_scenes(project: Path) -> None:
    """Write two dates of a scene for the change task of a project, and one for the other."""
    from benchmarks.predict import write_noise
    from eosfm.evaluation.fitted import read_fitted

    for name, task in (("before", "xview2"), ("after", "xview2"), ("scene", "eurosat")):
        fitted = read_fitted(project / f"models/tasks/{task}.pt")
        write_noise(project / f"{name}.tif", fitted, (640, 512), 640)


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
