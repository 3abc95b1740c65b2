"""Five-Billion-Pixels' reader, split rule and recipe, and the ponds it shows."""

import numpy as np
import pytest
import rasterio

from eosfm.core.errors import EosfmError
from eosfm.datasets.five_billion_pixels import CLASSES, DATASET, IMAGES, LABELS, TEST, split_of
from eosfm.datasets.native.spec import Window
from eosfm.simulation import cover_mask, draw_landscape, observe
from eosfm.simulation.covers import code
from eosfm.simulation.images import write_png, write_tiff
from eosfm.simulation.ponds import dig_ponds
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.five_billion_pixels import DRAWS, THEMES, _draw, classify, simulate
from tests.datasets.damage import check_refused

AMOUNT = {"train": 4, "val": 2, "test": 2}


def test_what_was_simulated_is_read(simulated, whole):
    root = simulated(DATASET, **AMOUNT)
    scenes = list(DATASET.scenes(root))
    splits = [scene.split for scene in scenes]
    assert {split: splits.count(split) for split in AMOUNT} == AMOUNT
    simulation = Simulation(7, AMOUNT, 64, DATASET.gsd)
    theme = next(iter(THEMES))
    scene = next(scene for scene in scenes if scene.split == "train")
    drawn = []
    for draw in range(DRAWS):
        key = (7, DATASET.name, "train", 0)
        land, classes = _draw((*key, draw), theme, simulation)
        seen = observe(land, key, DATASET.bands, units="dn8", region="east asia")
        drawn.append((classes, seen.image))
    target = scene.target(whole(scene))
    index = next(i for i, (classes, _) in enumerate(drawn) if np.array_equal(classes, target))
    np.testing.assert_array_equal(scene.image(whole(scene))[0], drawn[index][1])
    window = Window(10, 20, 30, 17)
    np.testing.assert_array_equal(scene.target(window), target[10:40, 20:37])
    np.testing.assert_array_equal(scene.image(window), scene.image(whole(scene))[..., 10:40, 20:37])


@pytest.mark.parametrize("photometric", ["CMYK", "MINISBLACK"])
def test_stored_bands_are_read_whatever_they_are_called(tiny, photometric):
    root = tiny(DATASET, **AMOUNT)
    scene = next(iter(DATASET.scenes(root)))
    with rasterio.open(
        scene.files[0], "w", driver="GTiff", count=4, height=64, width=64, dtype="uint8",
        photometric=photometric,
    ) as raster:  # fmt: skip
        raster.write(np.stack([np.full((64, 64), value, np.uint8) for value in (1, 20, 50, 99)]))
    image = scene.image(Window(2, 3, 4, 5))
    assert image.shape == (1, 4, 4, 5)
    assert image[0, :, 0, 0].tolist() == [1, 20, 50, 99]
    assert DATASET.bands == ("nir", "red", "green", "blue")


def test_split_rule():
    assert len(TEST) == 30 and all(split_of(name) == "test" for name in TEST)
    names = [f"GF2_PMS1__L1A{number:010d}-MSS1" for number in range(2000)]
    splits = [split_of(name) for name in names]
    assert 0.08 < splits.count("val") / len(splits) < 0.12 and "test" not in splits


def test_copy_shows_many_classes(simulated, whole):
    root = simulated(DATASET, train=16, size=96)
    seen = set()
    for scene in DATASET.scenes(root):
        if scene.split == "train":
            seen |= set(np.unique(scene.target(whole(scene))))
    assert len(seen - {0}) >= 14


def test_quarters_are_of_the_kind_of_their_nearest_building():
    land = draw_landscape((1, "quarters"), (64, 64), 4.0, "grassland")
    cover, height = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.float32)
    cover[:] = code("grassland")
    cover[5:9, 5:9], height[5:9, 5:9] = code("roof_grey"), 6
    cover[40:46, 40:46], height[40:46, 40:46] = code("roof_grey"), 20
    land = land.change(cover=cover, building_height=height)
    classes = classify(land, "village")
    assert CLASSES[classes[7, 12]] == "rural residential"  # 16 m from the house
    assert CLASSES[classes[38, 38]] == "urban residential"
    assert CLASSES[classes[20, 20]] == "natural meadow"
    assert CLASSES[classify(land, "industrial")[38, 38]] == "industrial area"


def test_ponds_are_basins_between_dykes():
    land = draw_landscape((3, "farm"), (96, 96), 4.0, "cropland")
    wet, water = dig_ponds(land, (3, "farm"), share=0.6)
    assert 0.3 < water.mean() < 0.6
    assert cover_mask(wet.cover, "lake")[water].all() and (wet.vigour[water] == 0).all()
    untouched = wet.cover == land.cover
    assert untouched.mean() > 0.3
    again, _ = dig_ponds(land, (3, "farm"), share=0.6)
    np.testing.assert_array_equal(again.cover, wet.cover)
    none, dry = dig_ponds(land, (3, "farm"), share=0.0)
    assert dry.mean() < 0.01 and (none.cover == land.cover).mean() > 0.99


def test_more_test_scenes_than_there_are(tmp_path):
    with pytest.raises(EosfmError, match="has 30 test scenes, not 31"):
        simulate(tmp_path, Simulation(0, {"train": 1, "val": 1, "test": 31}, 64, 4))


def first(root, folder):
    return sorted((root / folder).iterdir())[0]


def damage_layout(root):
    (root / IMAGES).rename(root / "Image_16bit_BGRNir")


def damage_empty(root):
    for path in (root / IMAGES).iterdir():
        path.rename(path.with_suffix(".jpg"))


def damage_name(root):
    first(root, IMAGES).rename(root / IMAGES / "scene.tif")


def damage_truncated(root):
    path = first(root, IMAGES)
    path.write_bytes(path.read_bytes()[:9000])


def damage_size(root):
    write_png(first(root, LABELS), np.zeros((32, 64), np.uint8))


def damage_class(root):
    write_png(first(root, LABELS), np.full((64, 64), 200, np.uint8))


def damage_depth(root):
    with rasterio.open(
        first(root, IMAGES), "w", driver="GTiff", count=4, height=64, width=64, dtype="uint16"
    ) as raster:
        raster.write(np.ones((4, 64, 64), np.uint16))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_layout, f"{IMAGES} not found; expected 8-bit images"),
        (damage_empty, f"{IMAGES} holds no \*.tif"),
        (damage_name, "scene.tif: found 'scene'; expected 8-bit images"),
        (damage_truncated, r"\.tif is damaged .*fetch the file again"),
        (damage_size, r"_24label.png has 1 band\(s\) of 32x64 px; expected 1 of 64x64"),
        (damage_class, "_24label.png holds the value 200; expected classes 0 to 24"),
        (damage_depth, r"has 4 band\(s\) of uint16; expected 4 of uint8"),
    ],
)
def test_a_damaged_copy_is_reported_in_one_line(tiny, damage, message):
    root = tiny(DATASET, **AMOUNT)
    damage(root)
    check_refused(DATASET, root, message)


def test_simulation_is_a_function_of_the_seed(tmp_path):
    one = {"train": 1, "val": 1, "test": 1}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / name, Simulation(seed, one, size=48, gsd=4))
    image = f"{IMAGES}/{sorted(TEST)[0]}.tif"
    one_, same, other = ((tmp_path / name / image).read_bytes() for name in "abc")
    assert one_ == same != other


def test_published_files_would_be_converted_without_care(tmp_path):
    pixels = np.stack([np.full((16, 16), value, np.uint8) for value in (1, 20, 50, 99)])
    write_tiff(tmp_path / "a.tif", pixels, photometric="CMYK")
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert not np.array_equal(raster.read(), pixels)
