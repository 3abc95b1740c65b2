"""The dry run on data: what it finds in the copies that a user brings."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml

from eosfm.core.band_groups import BandGroup
from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Dataset
from eosfm.params import load_params
from eosfm.planning.check_data import _check_copy
from eosfm.planning.readers import MADE, refuse_misfits
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from tests.fixtures.tasks import ROOT
from tests.planning.checked import faults, notes, set_dataset
from tests.tiles.conftest import ROOT as NATIVE
from tests.tiles.conftest import draw, make_dataset, make_scene


def test_tiles_that_would_cut_coarse_pixels_are_told_before_a_run(project, monkeypatch):
    oscd = get_dataset("oscd")
    coarse = replace(oscd, groups=(BandGroup(oscd.bands, "uint16", step=6),))
    monkeypatch.setattr("eosfm.datasets.oscd.DATASET", coarse)
    told = "oscd: tiles of 64 px would cut pixels of .*; set datasets.oscd.tile to one"
    with pytest.raises(EosfmError, match=told):
        refuse_misfits(load_params(project() / "params.yaml"), project())
    even = project(lambda params: params["datasets"]["oscd"].update(tile=60))
    refuse_misfits(load_params(even / "params.yaml"), even)


def test_an_unknown_reader_is_told_once(project):
    found = faults(project(set_dataset(reader="eurosatt")))
    assert found == [
        line for line in found if line.startswith("datasets.eurosat.reader: unknown dataset")
    ]
    assert len(found) == 1


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ({"kind": "clasification"}, "unknown task kind 'clasification'"),
        ({"dtype": "int64"}, "eurosat: unknown dtype 'int64'"),
        ({"dtype": "unit16"}, "eurosat: unknown dtype 'unit16'; did you mean 'uint16'"),
        ({"classes": ()}, "eurosat: it has no classes"),
        ({"gsd": 0}, "eurosat: gsd is 0; expected"),
        ({"gsd": "10 m"}, "eurosat: gsd is '10 m'; expected"),
    ],
)
def test_what_no_store_holds_is_refused_first_and_hides_no_other_fault(
    project, monkeypatch, fact, told
):
    right = get_dataset("eurosat")
    monkeypatch.delattr("eosfm.datasets.eurosat.DATASET")

    def made(name: str) -> Dataset:  # as where the file says so, whose import ends there
        return replace(right, **fact)

    monkeypatch.setattr("eosfm.datasets.eurosat.__getattr__", made, raising=False)
    folder = project(lambda params: params["specialists"]["oscd"].update(loss="bce"))
    found = faults(folder)
    assert any(line.startswith(f"datasets.eurosat.reader: {told}") for line in found)
    assert any("specialists.oscd.loss 'bce' does not fit change" in line for line in found)
    with pytest.raises(EosfmError, match=told):
        refuse_misfits(load_params(folder / "params.yaml"), folder)


def test_a_root_must_be_a_folder(project):
    (line,) = faults(project(set_dataset(source="archive", root="/nowhere")))
    assert line.startswith("datasets.eurosat.root is /nowhere, which is no folder")


@pytest.mark.parametrize("root", ["data/raw/eurosat", "data/raw/../tiles/mine", "models"])
def test_a_root_is_refused_where_a_run_would_delete_it(project, root):
    """DVC deletes the output data/raw/eurosat before the stage that reads this copy runs."""
    path = project(set_dataset(source="archive", root=root)) / "params.yaml"
    made = next(folder for folder in MADE if os.path.normpath(root).startswith(folder))
    told = f"datasets.eurosat.root is {root}, which lies in {made}, where runs delete what stages "
    with pytest.raises(EosfmError, match=told):
        refuse_misfits(load_params(path), path.parent)
    assert any(line.startswith(told) for line in faults(path.parent))


def test_all_outputs_of_stages_lie_in_folders_where_no_copy_may_be():
    outs = set()
    for file in ("dvc.yaml", "data/dvc.yaml", "data/watch/dvc.yaml", "analyses/dvc.yaml"):
        for stage in yaml.safe_load((ROOT / file).read_text())["stages"].values():
            found = stage.get("do", stage).get("outs", ())
            outs |= {next(iter(out)) if isinstance(out, dict) else out for out in found}
    assert len(outs) > 20
    outs -= {"metrics.json"}  # a file at the top
    assert [one for one in outs if not any(Path(one).is_relative_to(made) for made in MADE)] == []


def test_links_into_outputs_are_refused_and_folders_beside_them_are_not(
    project, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/raw/eurosat").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data/raw/eurosat")
    found = {
        root: [line for line in faults(project(set_dataset(source="archive", root=root)))
               if "where runs delete" in line]
        for root in ("link", "data/own", "data/raw2", "data/archives/eurosat")
    }  # fmt: skip
    assert [len(lines) for lines in found.values()] == [1, 0, 0, 0]


@pytest.mark.parametrize("root", ["data", ".", ".."])
def test_a_root_around_outputs_is_refused(project, root):
    """Each stage would change what the copy holds."""
    found = faults(project(set_dataset(source="archive", root=root)))
    told = f"datasets.eurosat.root is {root}, which holds data/features, where runs write"
    assert [line.startswith(told) for line in found].count(True) == 1


def test_archives_are_not_fetched_to_where_a_run_would_delete_them(project):
    def change(params):
        params["archives"] = "data/raw"
        params["datasets"]["eurosat"]["source"] = "archive"

    (line,) = faults(project(change))
    assert line.startswith("archives is data/raw, which lies in data/raw, where runs delete")


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
def test_images_with_one_label_must_share_a_size_whatever_the_tile(project, tmp_path, tile):
    """They are never cut."""
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
    (line,) = faults(project(change))
    assert f"{told}: let the reader crop them to it" in line


@pytest.mark.parametrize("tile", [None, 32])
def test_whole_images_of_different_sizes_are_a_fault_unless_they_are_cut(tile):
    scenes = [
        make_scene("a", "train", draw(0, 8, 8), np.zeros((8, 8), np.uint8)),
        make_scene("b", "train", draw(1, 9, 8), np.zeros((9, 8), np.uint8)),
    ]
    found = _check_copy(make_dataset(scenes), NATIVE, tile, False, ("train",), False)
    told = "from 8 x 8 to 9 x 8 px; whole images must share one: set datasets.toy.tile to cut them"
    assert [told in one.text for one in found if one.fault] == ([] if tile else [True])


def test_a_damaged_first_file_is_a_fault(project, tmp_path):
    root = tmp_path / "copy"
    root.mkdir()
    get_recipe("eurosat")(root, Simulation(0, {"train": 1, "val": 1, "test": 1}, 64, 10.0))
    for file in root.rglob("*.tif"):
        file.write_bytes(b"no image")
    (line,) = faults(project(set_dataset(source="archive", root=str(root))))
    assert line.startswith("datasets.eurosat: ")


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
    assert line.startswith(
        "datasets.toy: its reader ends in KeyError ('a') at test_check_data.py, line"
    )
