"""The dry run: each fault is found, named in one line, and costs no work."""

import json
import re
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import torch
import typer
import yaml
from huggingface_hub import constants
from typer.testing import CliRunner

from eosfm.commands.check import check
from eosfm.datasets import get_dataset
from eosfm.params import load_params
from eosfm.planning.check import run_checks
from eosfm.planning.check_data import _check_copy
from eosfm.planning.readers import check_tasks
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from tests.fixtures.tasks import ROOT
from tests.tiles.conftest import ROOT as NATIVE
from tests.tiles.conftest import draw, make_dataset, make_scene

KEPT = {"datasets": ("oscd", "eurosat"), "specialists": ("oscd",), "tasks": ("eurosat",)}


@pytest.fixture
def project(tmp_path):
    """``project(change)``: a folder with params.yaml of two datasets, changed."""
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\nno_scm = true\n")

    def make(change=lambda params: None):
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["ensemble"] = ["oscd"]
        for section, names in KEPT.items():
            params[section] = {name: params[section][name] for name in names}
        change(params)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        return tmp_path

    return make


def faults(folder, scale=None):
    return [finding.text for finding in run_checks(folder, scale) if finding.fault]


def notes(folder, scale=None):
    return [finding.text for finding in run_checks(folder, scale) if not finding.fault]


def set_dataset(**values):
    return lambda params: params["datasets"]["eurosat"].update(values)


def test_what_can_run_has_no_fault(project):
    assert faults(project()) == []


def test_a_wrong_parameter_is_the_one_fault(project):
    (line,) = faults(project(lambda params: params.update(scale="huge")))
    assert "scale" in line and "mini" in line


def test_all_faults_are_found_at_once(project):
    def change(params):
        params["datasets"]["eurosat"]["root"] = "/nowhere"
        params["specialists"]["oscd"] |= {"bands": "B04 vv", "loss": "bce"}
        params["tasks"]["eurosat"]["metric"] = "miou"
        params["trainer"]["accelerator"] = "gpu"

    found = "\n".join(faults(project(change)))
    assert "datasets.eurosat.root is set, but its source is simulated" in found
    assert "specialists.oscd.bands has vv, which dataset oscd lacks" in found
    assert "specialists.oscd.loss 'bce' does not fit change" in found
    assert "tasks.eurosat.metric is 'miou'" in found
    if not torch.cuda.is_available():
        assert "trainer.accelerator is gpu, and torch sees no GPU" in found


@pytest.mark.skipif(torch.cuda.is_available(), reason="of machines without a GPU")
def test_two_processes_of_a_cpu_are_no_fault(project):
    assert faults(project(lambda params: params["trainer"].update(devices=2))) == []


def test_more_devices_than_gpus_are_a_fault(project, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "a card")
    path = project(lambda params: params["tasks"]["eurosat"].update(devices=8))
    assert faults(path) == ["tasks.eurosat.devices is 8, and torch sees 2 GPUs; set it to less"]


def test_a_channel_is_fed_once_and_classes_have_weights(project):
    def change(params):
        params["specialists"]["oscd"] |= {"bands": "B04 red B02"}
        params["specialists"]["biomass"] = params["specialists"]["oscd"] | {
            "dataset": "biomassters", "bands": "B04", "loss": "mse", "class_weights": "balanced"
        }  # fmt: skip
        params["datasets"]["biomassters"] = params["datasets"]["oscd"] | {"reader": "biomassters"}
        params["ensemble"] = ["oscd"]

    found = "\n".join(faults(project(change)))
    assert "specialists.oscd.bands has B04 red B02, of which dataset oscd has B04 alone" in found
    assert "specialists.biomass.class_weights is balanced, but regression has no classes" in found


@pytest.mark.parametrize(
    ("fusion", "line"),
    [
        ({"method": "addition"}, "fusion='addition' needs equal channels.*spectral to false"),
        ({"ablate": ["oscd"]}, "fusion.ablate has every specialist of the ensemble"),
        ({"max_encoders": 9}, "fusion.max_encoders is 9, but the ensemble has 1"),
    ],
)
def test_a_fusion_that_cannot_be_built(project, fusion, line):
    def change(params):
        params["fusion"].update(fusion)
        params["tasks"]["eurosat"]["head"] = "linear"  # ridge regression fuses by itself

    found = faults(project(change))
    assert len(found) == 1 and re.match(line, found[0])


def test_a_country_of_which_nothing_is_known(project):
    (line,) = faults(project(lambda params: params["energy"].update(country="DEX")))
    assert line.startswith("energy.country is DEX, which CodeCarbon does not know; did you mean")


def test_objects_are_no_task(project):
    params = load_params(project() / "params.yaml")
    told = (
        "tasks.eurosat: dataset eurosat has objects, which are for specialists; no task is scored "
        "on them; take the entry out"
    )
    (found,) = check_tasks(params, {"eurosat": get_dataset("dior")})
    assert found.text == told
    assert told in faults(project(set_dataset(reader="dior")))


def test_an_unknown_reader_is_told_once(project):
    found = faults(project(set_dataset(reader="eurosatt")))
    assert found == [
        line for line in found if line.startswith("datasets.eurosat.reader: unknown dataset")
    ]
    assert len(found) == 1


def test_a_root_must_be_a_folder(project):
    (line,) = faults(project(set_dataset(source="archive", root="/nowhere")))
    assert line.startswith("datasets.eurosat.root is /nowhere, which is no folder")


def test_a_root_must_hold_the_dataset(project, tmp_path):
    (tmp_path / "empty").mkdir()
    (line,) = faults(project(set_dataset(source="archive", root=str(tmp_path / "empty"))))
    assert line.startswith("datasets.eurosat: ")


def test_of_a_good_root_one_window_is_read(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    scenes = {"train": 2, "val": 1, "test": 1}
    get_recipe("eurosat")(root, Simulation(0, scenes, 64, 10.0))
    folder = project(set_dataset(source="archive", root=str(root), scenes="any"))
    assert faults(folder) == []
    assert any(f"{root} can be read, first scene" in line for line in notes(folder))


@pytest.mark.parametrize("own", [True, False])
def test_a_dataset_of_ones_own_is_looked_at_closely_whatever_the_plan_knows(
    project, tmp_path, monkeypatch, own
):
    """eurosat stands for it once it has no recipe; eosfm/planning/facts.py has a line of it."""
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 1, "test": 1}, 64, 10.0))
    for file in root.rglob("*.tif"):
        with rasterio.open(file, "r+") as raster:
            raster.nodata = 7
    if own:
        monkeypatch.setattr("eosfm.planning.check_data.RECIPES", ())
    folder = project(set_dataset(source="archive", root=str(root), scenes="any"))
    assert any("declares the nodata value 7" in line for line in notes(folder)) == own


def test_bands_of_a_root_that_are_named_in_another_order_are_noted(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 1, "test": 1}, 64, 10.0))
    for file in root.rglob("*.tif"):
        with rasterio.open(file, "r+") as raster:
            raster.descriptions = get_dataset("eurosat").bands[::-1]
    folder = project(set_dataset(source="archive", root=str(root), scenes="any"))
    assert faults(folder) == []
    (line,) = (line for line in notes(folder) if "names its bands" in line)
    assert line.startswith("datasets.eurosat: ") and "those of the dataset are B01, B02" in line


def test_scenes_of_a_root_are_counted(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 1, "test": 1}, 64, 10.0))
    (line,) = faults(project(set_dataset(source="archive", root=str(root))))
    assert "holds 2 scenes of train; expected 16200, as published" in line
    assert "set datasets.eurosat.scenes=any" in line


def test_scenes_of_a_root_are_held_against_those_of_the_first_copy(project, tmp_path, monkeypatch):
    """Where nothing is published; a check leaves the file as it is."""
    root, kept = tmp_path / "copy", tmp_path / "data/trusted/eurosat.scenes"
    root.mkdir()
    kept.parent.mkdir(parents=True)
    get_recipe("dfc2022")(root, Simulation(0, {"train": 3, "val": 1, "test": 1}, 64, 10.0))
    folder = project(set_dataset(source="archive", reader="dfc2022", root=str(root), tile=64))
    monkeypatch.chdir(folder)

    def lost():
        return [line for line in faults(folder) if f"{root} holds scenes" in line]

    assert lost() == [] and not kept.exists()
    for first in ("train 3 val 1 test 1\n", "train 2 val 1 test 1\n"):
        kept.write_text(first)
        assert lost() == [] and kept.read_text() == first
    kept.write_text("train 4 val 1 test 1\n")
    (line,) = lost()
    assert "train 3 val 1 test 1; expected train 4 val 1 test 1, as in the first copy" in line


def test_a_split_of_a_part_without_a_scene_is_a_fault(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 0, "test": 1}, 64, 10.0))
    (line,) = faults(project(set_dataset(source="archive", root=str(root), scenes="any")))
    assert f"{root} has no scene of split val; have it hold out more for val, or" in line


def test_a_lost_file_of_any_scene_is_one_fault(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 1, "test": 1}, 64, 10.0))
    lost = sorted(root.rglob("*.tif"))[-1]
    lost.unlink()
    folder = project(set_dataset(source="archive", root=str(root), scenes="any"))
    (line,) = faults(folder)
    assert line.startswith(f"datasets.eurosat: {lost} not found")
    assert "point datasets.eurosat.root at a complete copy" in line


@pytest.mark.parametrize("tile", [None, 32])
def test_whole_images_of_different_sizes_are_a_fault(project, tmp_path, tile):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 2, "val": 1, "test": 1}, 64, 10.0))
    file = sorted(root.rglob("*.tif"))[-1]
    with rasterio.open(file) as raster:
        profile, pixels = raster.profile, raster.read()
    with rasterio.open(file, "w", **profile | {"height": 48}) as raster:
        raster.write(pixels[:, :48])
    change = set_dataset(source="archive", root=str(root), scenes="any", tile=tile)
    told = f"images of {root} have 2 sizes, from 48 x 64 to 64 x 64 px; whole images must share one"
    assert [told in line for line in faults(project(change))] == ([] if tile else [True])


def test_a_damaged_first_file_is_a_fault(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 1, "val": 1, "test": 1}, 64, 10.0))
    for file in root.rglob("*.tif"):
        file.write_bytes(b"no image")
    (line,) = faults(project(set_dataset(source="archive", root=str(root))))
    assert line.startswith("datasets.eurosat: ")


def test_downloads_are_announced_and_requests_are_faults(project):
    folder = project(set_dataset(reader="potsdam"))
    found = faults(folder, "full")
    assert any(line.startswith("datasets.eurosat cannot be fetched by a program") for line in found)
    assert any("datasets.oscd: 0.5 GB are downloaded" in line for line in notes(folder, "full"))


def test_what_is_downloaded_already_is_counted(project, monkeypatch):
    folder = project()
    monkeypatch.chdir(folder)
    done = folder / "data" / "archives" / "oscd" / ".fetched" / "images.zip.gz"
    done.parent.mkdir(parents=True)
    done.touch()
    assert any("oscd (1 of its files were already)" in line for line in notes(folder, "full"))


def test_all_that_a_person_must_fetch_is_listed_at_once(project):
    def change(params):
        params["datasets"]["eurosat"]["reader"] = "potsdam"
        params["datasets"]["oscd"]["reader"] = "xview2"

    found = [line for line in faults(project(change), "full") if "by a program" in line]
    assert [line.split()[0] for line in found] == ["datasets.eurosat", "datasets.oscd"]


def test_weights_that_cannot_be_fetched_are_a_fault(project, monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def pretrained(params):
        params["backbone"]["pretrained"] = True

    folder = project(pretrained)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert any("are downloaded from timm/convnextv2_atto" in line for line in notes(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    (line,) = faults(folder)
    assert "HF_HUB_OFFLINE forbids the download" in line


def test_a_full_disk_is_a_fault(project, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1e6))
    (line,) = faults(project())
    assert "has 0.0 GB free; a run needs about" in line


def test_a_disk_that_gets_nothing_is_not_told_of(project):
    folder = project(lambda params: params.update(archives="/proc"))
    assert not any("the disk of /proc" in line for line in notes(folder))
    assert any("the disk of /proc" in line for line in faults(folder, "full"))


def test_copies_of_the_cache_are_counted(project):
    folder = project()
    needed = {}
    for kind, told in (("hardlink", "DVC links files"), ("copy", "DVC copies files")):
        text = f"[core]\nno_scm = true\n[cache]\ntype = {kind}\n"
        (folder / ".dvc" / "config").write_text(text)
        found = notes(folder)
        assert any(line.startswith(told) for line in found)
        room = next(line for line in found if "a run needs" in line)
        needed[kind] = float(room.split("needs about ")[1].split()[0])
    assert needed["copy"] > needed["hardlink"] > 0


def test_more_loaders_than_cores_are_noted(project, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1})
    (line,) = [line for line in notes(project(), "full") if "loader processes" in line]
    assert line.startswith("8 loader processes are asked for, and there are 2 cores; set ")
    assert "scales.full.train.workers and scales.full.protocol.workers" in line


def test_loaders_need_room_for_what_they_hand_over(project, monkeypatch):
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: namedtuple("Usage", "total free")(2**26, 2**40)
    )
    (line,) = [one for one in faults(project(), "full") if "/dev/shm" in one]
    assert line.startswith("/dev/shm has 67 MB, through which loader processes hand over batches; ")
    assert not [one for one in faults(project(), "mini") if "/dev/shm" in one]


def test_an_experiment_is_checked_before_it_is_run(project):
    folder = project()
    before = (folder / "params.yaml").read_bytes()
    for override in ("fusion.max_encoders=1", "params.yaml:fusion.max_encoders=1"):
        assert not [one for one in run_checks(folder, None, [override]) if one.fault]
    for override, told in (
        ("fusion.max_encoders=9", "fusion.max_encoders is 9, but the ensemble has 1"),
        ("fusion.max_encoder=1", "has no such key (max_encoder); did you mean 'max_encoders'"),
        ("fusion.method=sum", f"{folder / 'params.yaml'}: fusion.method"),
    ):
        (found,) = [one.text for one in run_checks(folder, None, [override]) if one.fault]
        assert told in found
    assert (folder / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(("scale", "status"), [("mini", 0), ("huge", 1)])
def test_the_exit_status_says_whether_there_are_faults(project, monkeypatch, scale, status):
    monkeypatch.chdir(project(lambda params: params.update(scale=scale)))
    app = typer.Typer()
    app.command()(check)
    done = CliRunner().invoke(app, ["--json"])
    assert done.exit_code == status
    assert bool(json.loads(done.stdout)["faults"]) == bool(status)


@pytest.fixture
def own_copy():
    """``own_copy(reader, **facts)``: what is found of a user's copy that has such a reader."""

    def look(reader, **facts):
        dataset = replace(make_dataset(reader, **facts), name="toy")
        return [
            one.text for one in _check_copy(dataset, NATIVE, None, False, (), False) if one.fault
        ]

    return look


def test_labels_of_the_first_scene_are_looked_at(own_copy):
    mask = np.full((8, 8), 4, np.uint8)
    (line,) = own_copy([make_scene("a", "train", draw(0, 8, 8), mask)])
    assert "scene a of" in line and "label 4; expected 0 to 3" in line
    assert own_copy([make_scene("a", "train", draw(0, 8, 8), mask - 1)]) == []


def test_a_reader_that_breaks_is_a_fault_among_others(own_copy):
    (line,) = own_copy(lambda root: iter([{}["a"]]))
    assert line.startswith("datasets.toy: its reader ends in KeyError ('a') at test_check.py, line")
