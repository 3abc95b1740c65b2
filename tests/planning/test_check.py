"""The dry run: each fault is found, named in one line, and costs no work."""

import json
import re
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import typer
from huggingface_hub import constants
from typer.testing import CliRunner

from eosfm.commands.check import check
from eosfm.datasets import get_dataset
from eosfm.params import load_params
from eosfm.planning.check import run_checks
from eosfm.planning.plan import at_scale
from eosfm.planning.readers import check_tasks, check_units
from eosfm.schema import TaskOptions
from tests.planning.checked import faults, notes, set_dataset


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


def test_a_class_to_repeat_is_one_of_the_dataset_and_the_head_has_epochs(project):
    """Said by the first stage of a run, not by the task's own, which runs after all trainings."""
    known = {"eurosat": get_dataset("eurosat")}
    params = load_params(project() / "params.yaml")
    options = TaskOptions(repeat={"Forrest": 2})
    mini = params.scales.mini.model_copy(update={"tasks": {"eurosat": options}})
    scales = params.scales.model_copy(update={"mini": mini})
    closed, unknown = check_tasks(params.model_copy(update={"scales": scales}), known)
    assert closed.text.startswith("scales.mini.tasks.eurosat.repeat needs epochs, which head ridge")
    assert unknown.text.startswith(
        "scales.mini.tasks.eurosat.repeat has 'Forrest', no class of it; did you mean 'Forest'?"
    )


def test_an_augmentation_fits_labels_and_scaling_before_a_run(project):
    def change(params):
        params["recipes"]["ours"]["augmentation"] = {"moves": "turns", "jitter": 0.1}

    (line,) = faults(project(change))
    assert line.startswith("specialists.oscd: augmentation has sharpness or jitter and scaling is ")


def test_the_numbers_of_a_scaling_are_for_the_unit_of_ones_own_edition():
    params = at_scale(load_params("params.yaml"), "full")
    whole = get_dataset("eurosat")
    assert not list(check_units(params, {"eurosat": whole}))
    stretched = replace(whole, bands=("B04", "B03", "B02"), units=("dn8",) * 3)
    (found,) = check_units(params, {"eurosat": stretched})
    assert "eurosat_rgb: its scaling is for reflectance_1e4, and B04 of dataset eurosat is" in (
        found.text
    )


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
