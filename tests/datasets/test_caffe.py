"""CaFFe's reader and recipe."""

import numpy as np
import pytest
from PIL import Image
from torchgeo.datasets import CaFFe

from eosfm.core.splits import SPLITS
from eosfm.datasets.caffe import DATASET
from tests.datasets.base import check_same
from tests.datasets.damage import fill, refuses, remove, rename


@pytest.mark.parametrize("split", SPLITS)
def test_torchgeo_reads_the_same(simulated, split):
    root = simulated(DATASET, train=3, gsd=60)
    theirs = CaFFe(str(root), split=split)
    ours = {str(s.files[1]): s for s in DATASET.scenes(root) if s.split == split}
    check_same(theirs, theirs.fpaths, ours, "mask_zones")


def test_the_date_comes_from_the_name(simulated):
    scenes = list(DATASET.scenes(simulated(DATASET, train=3, gsd=60)))
    assert scenes[0].dates == ("2000-02-01",)
    assert len({scene.id for scene in scenes}) == len(scenes) == 5


def test_padding_is_cut_off_where_an_image_ends(simulated, whole):
    root = simulated(DATASET, train=3, gsd=60)
    first = next(path for path in (root / "caffe" / "zones" / "train").iterdir())
    image = first.name.split("_zones_")[0]
    size = Image.open(first).size[0]
    for number, (row, col) in enumerate([(0, 0), (0, size), (size, 0), (size, size)]):
        for folder, part in (("zones", "zones_"), ("sar_images", "")):
            place = root / "caffe" / folder / "train"
            name = f"{image}_{part}_5_7_{number}_{row}_{col}.png"
            (place / name).write_bytes((place / f"{image}_{part}_0_0_0_0_0.png").read_bytes())
    for folder, part in (("zones", "zones_"), ("sar_images", "")):
        (root / "caffe" / folder / "train" / f"{image}_{part}_0_0_0_0_0.png").unlink()
    found = {
        tuple(map(int, scene.id.split("_")[-2:])): scene
        for scene in DATASET.scenes(root)
        if scene.id.startswith(f"train_{image}")
    }
    sizes = {place: (scene.height, scene.width) for place, scene in found.items()}
    assert sizes == {
        (0, 0): (size, size), (0, size): (size, size - 7),
        (size, 0): (size - 5, size), (size, size): (size - 5, size - 7),
    }  # fmt: skip
    pixels = [scene.image(whole(scene))[0, 0] for scene in found.values()]
    for cut in pixels:
        np.testing.assert_array_equal(cut, max(pixels, key=np.size)[: len(cut), : len(cut[0])])


def test_the_recipe_draws_a_calving_front(simulated, whole):
    root = simulated(DATASET, train=8, size=96, gsd=40)
    scenes = [scene for scene in DATASET.scenes(root) if scene.split == "train"]
    zones = np.stack([scene.target(whole(scene)) for scene in scenes])
    shares = [(zones == index).mean() for index in range(4)]
    assert min(shares) > 0.02
    image = np.stack([scene.image(whole(scene))[0, 0] for scene in scenes]).astype(float)
    assert (image[zones == 0] == 0).all()
    assert image[zones == 2].mean() > image[zones == 3].mean() + 15  # ice is brighter than sea
    fronts = 0
    for scene, zone in zip(scenes, zones, strict=True):
        name = scene.files[1].name.replace("_zones_", "_front_")
        front = np.asarray(Image.open(root / "caffe" / "fronts" / "train" / name)) > 0
        fronts += front.any()
        assert not front.any() or {2, 3} <= set(np.unique(zone))
    assert fronts >= 4


IMAGE, MASK = (f"caffe/{folder}/train/*.png" for folder in ("sar_images", "zones"))
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (r"sar_images/.*png not found", remove(IMAGE)),
    ("the folder caffe/zones/train", rename("caffe/zones", "labels")),
    ("the value 2; expected 0, 64, 127, 254", fill(MASK, 2)),
    ("expected masks such as Crane_2002", rename(MASK, "Crane_1.png")),
    gsd=60,
)
