"""What nearly all recipes do."""

import json

import pytest

from eosfm.core.errors import EosfmError
from eosfm.simulation.recipe import Simulation, rectangle, write_geojson, write_lines
from eosfm.simulation.recipes import RECIPES, get_recipe

SIMULATION = Simulation(seed=3, scenes={"train": 2, "val": 0, "test": 1}, size=8, gsd=10.0)


def test_every_scene_has_a_key_of_its_own():
    planned = list(SIMULATION.plan("eurosat"))
    assert [(split, index) for split, index, _ in planned] == [
        ("train", 0), ("train", 1), ("test", 0),
    ]  # fmt: skip
    assert [key for *_, key in planned] == [(3, "eurosat", *each[:2]) for each in planned]


def test_scenes_take_the_names_of_their_split_in_order():
    names = {"train": ("a", "b", "c"), "val": (), "test": ("z",)}
    assert [name for name, _, _ in SIMULATION.name("oscd", "cities", names)] == ["a", "b", "z"]
    with pytest.raises(EosfmError, match=r"oscd has 1 train cities, not 2; .*simulated\.train"):
        list(SIMULATION.name("oscd", "cities", names | {"train": ("a",)}))


def test_lists_and_geojson_make_their_folders(tmp_path):
    write_lines(tmp_path / "lists" / "train.txt", ["one", "two"])
    assert (tmp_path / "lists" / "train.txt").read_text() == "one\ntwo\n"
    path = tmp_path / "places" / "cells.geojson"
    write_geojson(path, [{"properties": {"id": 1}, "geometry": rectangle(0, 1, 2, 3)}], name="n")
    collection = json.loads(path.read_text())
    assert collection["type"] == "FeatureCollection" and collection["name"] == "n"
    (feature,) = collection["features"]
    assert feature["type"] == "Feature" and feature["properties"] == {"id": 1}
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1] and [0, 1] in ring and [2, 3] in ring and len(ring) == 5


def test_recipes_are_found_by_their_files():
    assert "eurosat" in RECIPES and callable(get_recipe("eurosat"))
    with pytest.raises(EosfmError, match="'atlantis' has no recipe"):
        get_recipe("atlantis")


@pytest.mark.parametrize(
    "name",
    ["five_billion_pixels", "firerisk", "levircdplus", "loveda", "pastis", "spacenet7", "xview2"],
)
def test_a_copy_is_a_function_of_the_seed(name, tmp_path):
    def bytes_of(folder, seed):
        scenes = {"train": 1, "val": 1, "test": 1}
        get_recipe(name)(tmp_path / folder, Simulation(seed, scenes, size=48, gsd=4.0))
        files = sorted(path for path in (tmp_path / folder).rglob("*") if path.is_file())
        return {path.relative_to(tmp_path / folder): path.read_bytes() for path in files}

    one, same, other = (bytes_of(*each) for each in (("a", 1), ("b", 1), ("c", 2)))
    assert one == same != other


@pytest.mark.parametrize(
    ("name", "scenes", "message"),
    [
        ("bigearthnet", {}, "size is 64; 60 m pixels must fit, so give a multiple of 6"),
        ("five_billion_pixels", {"test": 31}, "has 30 test scenes, not 31"),
        ("inria_aerial", {"val": 26}, "has 25 val tiles, not 26"),
        ("kenya_croptype", {"train": 65}, "has 64 train blocks, not 65; lower"),
        ("landcoverai", {}, "cannot hold 3 tiles of 512 px"),
        ("oscd", {"val": 4}, "has 3 val cities, not 4"),
        ("potsdam", {"val": 5}, "has 4 val tiles, not 5"),
        ("spacenet7_change", {"test": 15}, "has 14 test areas, not 15"),
    ],
)
def test_more_than_a_dataset_can_show_is_refused(name, scenes, message, tmp_path):
    asked = {"train": 1, "val": 1, "test": 1} | scenes
    with pytest.raises(EosfmError, match=message):
        get_recipe(name)(tmp_path, Simulation(0, asked, size=64, gsd=4.0))
