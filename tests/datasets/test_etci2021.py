import numpy as np
import pytest
from PIL import Image

from eosfm.core.errors import EosfmError
from eosfm.datasets.etci2021 import DATASET
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.etci2021 import simulate
from tests.datasets.damage import refuses, remove, rename


def test_splits_are_regions_and_gap_tiles_are_dropped(simulated, whole):
    root = simulated(DATASET, train=4)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes].count("train") == 4
    regions = {split: {s.id.split("_")[0] for s in scenes if s.split == split} for split in
               ("train", "val", "test")}  # fmt: skip
    assert regions == {"train": {"bangladesh", "nebraska"}, "val": {"northal"},
                       "test": {"florence"}}  # fmt: skip
    assert len({scene.id for scene in scenes}) == len(scenes)
    assert scenes[0].dates == ("2017-03-14",)
    assert list(root.glob("*/*/tiles/vv/*_x-9_y-9_vv.png"))  # the gap tiles are there,
    assert all(scene.image(whole(scene)).std() > 0 for scene in scenes)  # and are not yielded


def test_a_tile_may_not_take_the_name_of_the_one_without_an_image(tmp_path):
    with pytest.raises(EosfmError, match="has 99 val tiles, not 100"):
        simulate(tmp_path, Simulation(0, {"train": 1, "val": 100, "test": 1}, 8, 20.0))
    assert not any(tmp_path.iterdir())


def test_floods_are_drawn_beyond_the_permanent_water(simulated, whole):
    root = simulated(DATASET, train=8, val=1, test=1)
    scenes = [scene for scene in DATASET.scenes(root) if scene.split == "train"]
    shares = []
    for scene in scenes:
        flood = scene.target(whole(scene))
        label = scene.files[2]
        water = np.asarray(Image.open(label.parents[1] / "water_body_label" / label.name)) > 0
        assert not (flood.astype(bool) & water).any()
        shares.append(flood.mean())
    assert min(shares) == 0  # the passes before a flood
    assert np.mean([0.01 < share < 0.9 for share in shares]) >= 0.5


@pytest.mark.parametrize(("split", "ours"), [("train", ("train", "val")), ("val", ("test",))])
def test_torchgeo_reads_the_same(simulated, whole, split, ours):
    from torchgeo.datasets import ETCI2021

    root = simulated(DATASET, train=4)
    theirs = ETCI2021(str(root), split=split)
    by_tile = {files["flood_mask"]: index for index, files in enumerate(theirs.files)}
    scenes = [scene for scene in DATASET.scenes(root) if scene.split in ours]
    assert scenes
    for scene in scenes:
        sample = theirs[by_tile[str(scene.files[2])]]
        image = scene.image(whole(scene))[0]
        np.testing.assert_array_equal(sample["image"].numpy()[[0, 3]], image)
        np.testing.assert_array_equal(sample["mask"].numpy()[1], scene.target(whole(scene)))


TILES = "train/bangladesh*/tiles"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("flood_label/.*png not found", remove(f"{TILES}/flood_label/*.png")),
    ("unknown region 'atlantis'", rename("train/bangladesh*", "atlantis_20170314t115609")),
    ("event folders", rename("test", "Test2")),
)
