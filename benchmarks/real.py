"""Simulated specialists on real images, and two real ones in their place: docs/real-data.md.

    python benchmarks/real.py --eurosat FOLDER --oscd FOLDER [--write]

Run in a project that has ``models`` of ``mini``. Settings are those of the page. The
stages work in a folder of their own, without DVC; what is there is not made again.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

import eosfm.cli
from eosfm.core.errors import EosfmError
from eosfm.core.results import read_result
from eosfm.evaluation.result import BaselineResults, TaskResult
from eosfm.report.tables import markdown

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/real-data.md"
BEGIN = "<!-- real: written by `benchmarks/real.py --write` -->"
END = "<!-- end of real -->"

REPLACED = {"eurosat_rgb": "eurosat_rgb_real", "oscd": "oscd_real"}
"""Simulated specialists, and those of real images in their place."""
TASKS = {"eurosat_real": "EuroSAT RGB, accuracy", "oscd_real": "OSCD, tiles, F1 of change"}
ENSEMBLES = {"simulated": "all simulated", "real": "two of them real"}
CITIES = "oscd_real"
"""The task that is scored on whole scenes as well."""


def main(
    eurosat: Annotated[Path, typer.Option(help="Folder that holds 2750/, the RGB edition.")],
    oscd: Annotated[Path, typer.Option(help="Folder of OSCD's three archives, unpacked.")],
    out: Annotated[Path, typer.Option(help="Where the stages work.")] = Path(".cache/real"),
    write: Annotated[bool, typer.Option("--write", help="Put the table into the page.")] = False,
) -> None:
    """Train, evaluate, and print the table."""
    start = time.perf_counter()
    roots = {"eurosat_real": eurosat.resolve(), "oscd_real": oscd.resolve()}
    for ensemble in ENSEMBLES:
        _prepare(out / ensemble, ensemble, roots)
    first = out / next(iter(ENSEMBLES))
    for dataset in roots:
        _stage(first, "download", dataset, f"data/raw/{dataset}")
        _stage(first, "tile", dataset, f"data/tiles/{dataset}")
    for specialist in REPLACED.values():
        _stage(first, "train", specialist, f"models/specialists/{specialist}.pt")
    for ensemble in ENSEMBLES:
        _evaluate(out / ensemble)
    section = "\n\n".join(_sections(out))
    print(f"{section}\n\n{(time.perf_counter() - start) / 60:.0f} min")
    if write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}{rest.split(END)[1]}")


def settings(page: Path = PAGE) -> dict[str, dict[str, Any]]:
    """The entries that the page adds to params.yaml, by section."""
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    return dict(yaml.safe_load(block))


def params(ensemble: str, roots: dict[str, Path]) -> dict[str, Any]:
    """params.yaml with the page's entries, these roots, and the specialists of an ensemble."""
    data = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, entries in settings().items():
        data[section] |= entries
    for name, root in roots.items():
        data["datasets"][name]["root"] = str(root)
    if ensemble == "real":
        data["ensemble"] = [REPLACED.get(name, name) for name in data["ensemble"]]
    return data


def _prepare(folder: Path, ensemble: str, roots: dict[str, Path]) -> None:
    """A folder as the stages want it; data and specialists are those of the first one."""
    for name in ("models", "data", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params(ensemble, roots), sort_keys=False))
    shared = folder.parent / "shared"
    for name in ("data/raw", "data/tiles", "models/specialists", "results/train"):
        (shared / name).mkdir(parents=True, exist_ok=True)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to((shared / name).resolve())
    _link("models/start.pt", folder)
    for name in yaml.safe_load((ROOT / "params.yaml").read_text())["ensemble"]:
        _link(f"models/specialists/{name}.pt", shared)
        _link(f"results/train/{name}", shared)


def _link(name: str, folder: Path) -> None:
    """Put what the `mini` run made into a folder."""
    made, here = ROOT / name, folder / name
    if not made.exists():
        raise EosfmError(f"{made} not found; expected that of `mini`; run `dvc repro`")
    if not here.exists():
        here.symlink_to(made.resolve())


def _evaluate(folder: Path) -> None:
    _stage(folder, "export", "", "results/export/metrics.json")
    for task in TASKS:
        _stage(folder, "features", task, f"data/features/{task}")
        for stage in ("evaluate", "baseline"):
            _stage(folder, stage, task, f"results/{stage}/{task}/metrics.json")
    cities = folder / "cities.json"
    if not cities.exists():
        command = [sys.executable, "-c", "import eosfm.cli; eosfm.cli.main()"]
        words = ["score", "--task", CITIES, "--json"]
        cities.write_text(_call(folder, [*command, *words], stdout=subprocess.PIPE))


def _stage(folder: Path, stage: str, item: str, made: str) -> None:
    """Run a stage's script in a folder, unless what it makes is there."""
    if not (folder / made).exists():
        _call(folder, [sys.executable, str(ROOT / f"stages/{stage}.py"), *filter(None, [item])])


def _call(folder: Path, command: list[str], **options: Any) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, text=True, **options)
    if done.returncode:
        raise EosfmError(f"{' '.join(command[1:])} ended with {done.returncode}, see above")
    return str(done.stdout)


def _sections(out: Path) -> Iterator[str]:
    """The table of both tasks, and that of the cities."""
    head = ["real task", "ensemble", "labels", "EosFM", "random weights",
            "start weights", "best single",
            "from scratch", "linear pixels", "best single is"]  # fmt: skip
    yield markdown([head, *(_row(out, *row) for row in _rows())])
    found = {name: json.loads((out / name / "cities.json").read_text()) for name in ENSEMBLES}
    one = found["simulated"]
    rows = [["OSCD, whole scenes, F1", *ENSEMBLES.values()]]
    for city in one["scenes"]:
        rows.append([city, *(f"{found[name]['scenes'][city]['f1']:.3f}" for name in ENSEMBLES)])
    rows.append(["all", *(f"{found[name]['all']['f1']:.3f}" for name in ENSEMBLES)])
    everywhere = f"{one['constant']['urban change']['f1']:.3f}"
    rows.append(["change everywhere", *(everywhere for _ in ENSEMBLES)])
    yield markdown(rows)


def _rows() -> list[tuple[str, str]]:
    return [(task, ensemble) for task in TASKS for ensemble in ENSEMBLES]


def _row(out: Path, task: str, ensemble: str) -> list[str]:
    results = out / ensemble / "results"
    ours = read_result(results / f"evaluate/{task}/metrics.json", TaskResult, "")
    base = read_result(results / f"baseline/{task}/metrics.json", BaselineResults, "")
    others = (base.random, base.start, base.single, base.scratch, base.statistics)
    scores = [f"{result.test[ours.metric]:.3f}" for result in (ours, *others)]
    if len(ours.fits) > 1:  # one fit has no spread
        scores[0] += f" ± {ours.spread[ours.metric]:.3f}"
    return [TASKS[task], ENSEMBLES[ensemble], str(ours.labels), *scores, *base.single.selected]


if __name__ == "__main__":
    eosfm.cli.run(main)
