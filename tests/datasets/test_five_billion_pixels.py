"""Five-Billion-Pixels' reader, split rule and recipe, and the ponds it shows."""

import numpy as np
import pytest
import rasterio

from eosfm.datasets.five_billion_pixels import CLASSES, DATASET, IMAGES, LABELS, TEST, split_of
from eosfm.datasets.native.spec import Window
from eosfm.simulation import cover_mask, draw_landscape, observe
from eosfm.simulation.covers import code
from eosfm.simulation.images import write_tiff
from eosfm.simulation.ponds import dig_ponds
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes.five_billion_pixels import DRAWS, THEMES, _draw, classify
from tests.datasets.damage import empty, fill, refuses, rename

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


IMAGE, LABEL = f"{IMAGES}/*.tif", f"{LABELS}/*.png"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    (f"{IMAGES} not found; expected 8-bit images", rename(IMAGES, "Image_16bit_BGRNir")),
    (rf"{IMAGES} holds no \*.tif", empty(IMAGES)),
    ("scene.tif: found 'scene'; expected 8-bit images", rename(IMAGE, "scene.tif")),
    ("_24label.png holds the value 200; expected classes 0 to 24", fill(LABEL, 200)),
    (r"has 4 band\(s\) of uint16; expected 4 of uint8", fill(IMAGE, 1, dtype=np.uint16)),
    **AMOUNT,
)


def test_published_files_would_be_converted_without_care(tmp_path):
    pixels = np.stack([np.full((16, 16), value, np.uint8) for value in (1, 20, 50, 99)])
    write_tiff(tmp_path / "a.tif", pixels, photometric="CMYK")
    with rasterio.open(tmp_path / "a.tif") as raster:
        assert not np.array_equal(raster.read(), pixels)
