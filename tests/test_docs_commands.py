"""Every command of the pages is run here, or its reason not to be stands in NOT_RUN."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import eosfm.cli
from eosfm.core.closure import ROOT
from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.model import EosFM
from tests.test_docs import PAGES, commands, page

RUNS = "runs the pipeline: tests/pipeline does"
PLACE = "needs a repository with experiments, or a place of somebody's own"
WORD = "a command's name alone, no line to type"
PLAN = "counts the work of every network, twenty seconds: tests/planning does the same"
NOT_RUN = {
    "make mini": RUNS,
    "make test": "is what runs this",
    "make experiments": PLACE,
    "pytest -x -q tests/kinds": "is run with all tests",
    "python -m eosfm.interop.terratorch fit --config config.yaml": "tests/interop/test_terratorch",
    "python benchmarks/plan.py": "compares with a run that was made; a minute",
    "python benchmarks/scale.py": "cuts archives of many sizes; minutes",
    "eosfm COMMAND --help": WORD,
    "eosfm explain": WORD,
    "eosfm embed": WORD,
    "eosfm predict": WORD,
    "eosfm use": WORD,
    "eosfm validate FILE": WORD,
    "eosfm gather F O": WORD,
    "eosfm gather ResNet50_Weights.SENTINEL2_ALL_MOCO moco.pth": (
        "downloads weights: tests/interop/test_torchgeo.py"
    ),
    "eosfm use moco.pth": "needs these: tests/artifacts",
    "eosfm validate": WORD,
    "eosfm embed item.json -o features.tif --bounds 11.30 46.45 11.40 46.52": (
        "tests/prediction/test_stac.py and test_bounds.py"
    ),
    "eosfm predict scenes/*.tif --task ai4smallfarms -o maps/ --areas areas.csv": (
        "needs a shell: tests/prediction/test_each.py"
    ),
    "eosfm predict search.json --task oscd -o change.tif": "tests/prediction/test_stac.py",
    "eosfm predict scene.tif --task ships.pt -o ships.gpkg --min-score 0.5": (
        "tests/prediction/test_objects.py"
    ),
    "eosfm predict before/ after/ --task oscd -o change.tif": "folders: tests/prediction",
    "eosfm score --task oscd": "needs native scenes: tests/prediction/test_score.py",
    "dask worker tcp://first:8786 --nthreads 1 --memory-limit 0 --local-directory /scratch": (
        "waits for a scheduler: tests/cluster/test_scheduler.py"
    ),
    "python benchmarks/real.py --eurosat /data/eurosat_rgb --oscd /data/oscd": "needs real data",
    "eosfm score potsdam": "needs a trained specialist and its tiles: tests/training",
    "eosfm plan": PLAN,
    "eosfm plan --items": PLAN,
    "eosfm plan --json": PLAN,
    "eosfm plan --scale full": PLAN,
    "eosfm plan --scale full --json": PLAN,
    "eosfm plan --scale full --items": PLAN,
    "eosfm plan --scale full --gpu a100": PLAN,
    "eosfm plan --scale full --images-per-second 9000": PLAN,
    "eosfm plan --scale full --write docs/full-scale.md": PLAN,
    "eosfm check --scale full": PLAN,
    "eosfm onnx backbone.pth -o backbone.onnx": "tests/interop/test_onnx.py",
    "eosfm onnx --task sen1floods11 -o flood.onnx": "tests/interop/test_onnx_task.py",
    "eosfm use gathered.pth": "needs the pipeline's own folder: tests/artifacts",
    "eosfm use --built": "likewise",
    "dvc --wait-for-lock repro --single-item train@potsdam": "tests/pipeline/test_sharing.py",
    "dvc --wait-for-lock repro --single-item train@loveda": "tests/pipeline/test_sharing.py",
    "dvc --wait-for-lock repro": "tests/pipeline/test_sharing.py",
    "eosfm report": "needs results of all stages: tests/commands/test_report.py",
    "eosfm readme": "likewise",
    "dvc status": "tests/pipeline/test_status.py",
    "dvc metrics show": PLACE,
    "dvc metrics diff": PLACE,
    "dvc plots diff": PLACE,
    "dvc plots show": PLACE,
    "dvc queue start": PLACE,
    "dvc pull": "tests/pipeline/test_sharing.py",
    "dvc pull dvc.yaml data/dvc.yaml": "tests/pipeline/test_sharing.py",
    "dvc checkout": "tests/pipeline/test_sharing.py",
    "dvc checkout dvc.yaml data/dvc.yaml": "needs the cache: tests/pipeline/test_sharing.py pulls",
    "dvc repro --pull": PLACE,
    "dvc push --run-cache": PLACE,
    "dvc metrics show results/train/potsdam/live/metrics.json": PLACE,
}
"""Commands of no test here, and why; beside those that :func:`is_left_out` names by their kind."""

TASKS = {
    "sen1floods11": "segmentation",
    "hls_burn_scars": "segmentation",
    "ai4smallfarms": "segmentation",
    "xview2": "change",
    "pastis": "series",
    "eurosat": "classification",
}
"""The tasks of the pages, and which small one stands for each."""


def is_left_out(words: list[str]) -> bool:
    """Whether a command starts stages, reaches another repository, or is named in NOT_RUN."""
    stages = words[0] in ("dvc", "eosfm") and words[1] in ("repro", "exp", "import")
    return stages or " ".join(words) in NOT_RUN


def is_told(page: Path, words: list[str]) -> bool:
    """Whether an earlier page has the same check, which says the same here."""
    earlier = PAGES[: PAGES.index(page)]
    return words[1] == "check" and any(words in commands(other) for other in earlier)


def test_what_is_not_run_is_on_a_page():
    there = {" ".join(words) for page in PAGES for words in commands(page)}
    assert set(NOT_RUN) <= there


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Path:
    """A project of this one's settings, but for tasks that no page names.

    To count the work of every task takes most of the time; tests/planning counts all.
    """
    folder = tmp_path_factory.mktemp("settings") / "project"
    for name in ("params.yaml", "dvc.yaml", "data/dvc.yaml", "analyses/dvc.yaml", "metrics.json"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["tasks"] = {name: params["tasks"][name] for name in TASKS}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    for words in (["git", "init", "--quiet"], ["dvc", "init", "--quiet"]):
        subprocess.run(words, cwd=folder, check=True)
    (folder / "models/tasks").mkdir(parents=True)
    return folder


@pytest.fixture
def place(settings, tmp_path, monkeypatch) -> None:
    """Where a page's commands are run: a copy of that project."""
    shutil.copytree(settings, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def maps(place, fitted_file, artifact, write_scene, mosaic) -> None:
    """What the page on maps begins with: fitted tasks, their ensemble, scenes."""
    shutil.copy(artifact, "models/eosfm.pth")
    for name, small in TASKS.items():
        shutil.copy(fitted_file(small)[0], f"models/tasks/{name}.pt")
    image, _ = mosaic
    plain = np.full_like(image, 100)
    bands = ("B02", "B03", "B04", "B8A", "B11", "B12")
    for name in ("scene.tif", "other.tif"):
        write_scene(np.concatenate([image[::-1], image]), name=name, descriptions=bands)
    for name, count in {"S1": 2, "S2": 13}.items():  # as a chip of Sen1Floods11, of no names
        write_scene(np.repeat(image[:1], count, 0), name=f"chip/{name}.tif", descriptions=None)
    for day, pixels in {"2020-04-01": plain, "2020-06-15": image, "2020-09-01": plain}.items():
        write_scene(pixels, name=f"series/{day}.tif")
    for name, pixels in {"before": plain, "after": image, "may": plain, "june": image,
                         "july": plain}.items():  # fmt: skip
        write_scene(pixels, name=f"{name}.tif")


@pytest.fixture
def artifacts(place, artifact, make_specialist) -> None:
    """What the other pages begin with: artifacts, a result, checkpoints, a saved backbone."""
    one, other = load_artifact(artifact)
    save_artifact("partner.pth", [one])
    selected = Path("results/evaluate/sen1floods11/metrics.json")
    selected.parent.mkdir(parents=True)
    selected.write_text(json.dumps({"selected": ["eurosat_rgb"]}))
    names = ("eurosat_rgb", "loveda")
    named = [replace(s, name=n) for s, n in zip((one, other), names, strict=True)]
    save_artifact("models/eosfm.pth", named)
    Path("checkpoints/potsdam").mkdir(parents=True)
    published = make_specialist("potsdam", 3, backbone="convnextv2_atto")
    weights = {f"model.encoder.{key}": value for key, value in published.state_dict.items()}
    torch.save({"state_dict": weights}, "checkpoints/potsdam/last.ckpt")
    EosFM.from_specialists(named, ["B04", "B03", "B02"]).save("backbone.pth")


@page
def test_commands_of_a_page_run_one_after_the_other(page, request, monkeypatch, capfd):
    lines = [
        words for words in commands(page) if not is_left_out(words) and not is_told(page, words)
    ]
    if not lines:
        return
    request.getfixturevalue("maps" if page.stem == "maps" else "artifacts")
    for words in lines:
        status = run(words, monkeypatch)
        printed = capfd.readouterr()
        if words[:2] == ["eosfm", "check"]:  # which finds that nothing real is here
            assert re.search(r"^\d+ faults?, \d+ notes?$", printed.out, re.MULTILINE), printed
        else:
            assert status == 0, (words, printed)
        for made in (word for option, word in pairwise(words) if option in ("-o", "--out")):
            assert Path(made).stat().st_size > 0, words


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """A command's status: one of eosfm in this process, another in its own."""
    if words[0] != "eosfm":
        return subprocess.run(words).returncode
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stopped:
        eosfm.cli.main()
    return int(stopped.value.code or 0)
