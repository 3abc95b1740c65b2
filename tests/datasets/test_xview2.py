"""xView2's reader, split rule and recipe."""

import json

import numpy as np
import pytest
from torchgeo.datasets import XView2

from eosfm.datasets.native.png import read_png
from eosfm.datasets.native.spec import Window
from eosfm.datasets.xview2 import DATASET, IGNORE
from eosfm.simulation.covers import BUILDINGS
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.xview2 import EVENTS, THEMES, strike
from tests.datasets.damage import edit, refuses, remove, rename, write

AMOUNT = {"train": 4, "val": 1, "test": 2}


def scenes_of(root, part):
    return [scene for scene in DATASET.scenes(root) if scene.files[0].parts[-3] == part]


@pytest.mark.parametrize("part", ["train", "test"])
def test_torchgeo_reads_the_same(simulated, whole, part):
    root = simulated(DATASET, **AMOUNT)
    theirs = XView2(str(root), split=part)
    by_image = {files["image1"]: index for index, files in enumerate(theirs.files)}
    ours = scenes_of(root, part)
    assert len(ours) == len(theirs) > 0
    for scene in ours:
        sample = theirs[by_image[str(scene.files[0])]]
        np.testing.assert_array_equal(scene.image(whole(scene)), sample["image"].numpy())
        before = scene.files[0].parents[1] / "targets" / f"{scene.files[0].stem}_target.png"
        standing = read_png(before, whole(scene), mode="L").astype(int)
        # torchgeo subtracts the buildings before from the damage after.
        change = np.clip(scene.target(whole(scene)).astype(int) - standing, 0, 4)
        np.testing.assert_array_equal(change, sample["mask"].numpy())


@pytest.mark.parametrize(("part", "split", "index"), [("tier3", "train", 3), ("test", "test", 1)])
def test_what_was_simulated_is_read(simulated, whole, part, split, index):
    root = simulated(DATASET, **AMOUNT)
    simulation = Simulation(7, AMOUNT, 64, DATASET.gsd)
    disasters = list(EVENTS[part].values())
    key = (7, "xview2", split, index)
    before = simulation.draw(key, THEMES[index], doy=200)
    after = strike(before, key, disasters[index % len(disasters)])
    scene = scenes_of(root, part)[-1]
    assert scene.split == split
    expected = np.where(before.shows(*BUILDINGS), after.damage + 1, 0)
    assert expected.any()
    np.testing.assert_array_equal(scene.target(whole(scene)), expected)
    window = Window(10, 20, 30, 17)
    np.testing.assert_array_equal(scene.target(window), expected[10:40, 20:37])
    np.testing.assert_array_equal(scene.image(window), scene.image(whole(scene))[..., 10:40, 20:37])


def test_polygons_are_drawn_by_their_damage(tiny):
    root = tiny(DATASET, **AMOUNT)
    scene = scenes_of(root, "tier3")[0]
    shapes = {
        "POLYGON ((2 1, 6 1, 6 5, 2 5, 2 1))": "destroyed",
        "POLYGON ((10 10, 14 10, 10 14, 10 10))": "no-damage",
        "POLYGON ((20 20, 22 20, 22 22, 20 22, 20 20))": "un-classified",
    }
    features = [{"properties": {"subtype": name}, "wkt": wkt} for wkt, name in shapes.items()]
    scene.files[2].write_text(json.dumps({"features": {"xy": features, "lng_lat": []}}))
    expected = np.zeros((64, 64), int)
    expected[1:5, 2:6] = 4
    expected[20:22, 20:22] = IGNORE
    for row in range(4):
        expected[10 + row, 10 : 13 - row] = 1  # pixel middles on the slope count for no side
    found = scene.target(Window(0, 0, 64, 64)).astype(int)
    diagonal = [(10 + k, 13 - k) for k in range(4)]
    for place in diagonal:
        found[place] = 0
    np.testing.assert_array_equal(found, expected)


POLYGONS = "test/labels/*.json"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"_post_disaster.png not found", remove("train/images/*_post_disaster.png")),
    (r"_post_disaster.json not found", remove("test/labels/*_post_disaster.json")),
    (r"test/images not found; expected the images of test_images", rename("test/images", "img")),
    (r"a.png: found 'a'; expected <disaster>", rename("train/images/*.png", "a.png")),
    (
        r"unknown damage 'gone'; .*destroyed",
        edit(POLYGONS, '"subtype": "[a-z-]+"', '"subtype": "gone"'),
    ),
    (
        r"expected polygons with the subtype of their damage",
        write(POLYGONS, '{"features": {"xy": [{"properties": {}, "wkt": "POINT (1 1)"}]}}'),
    ),
    **AMOUNT,
)
