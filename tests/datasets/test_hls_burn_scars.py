"""HLS Burn Scars' reader, split rule and recipe."""

import numpy as np
import rasterio

from eosfm.datasets.hls_burn_scars import BANDS, DATASET, IMAGE, MASK, PREFIX
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import hls_burn_scars as recipe
from tests.datasets.damage import empty, pixels, refuses, rename, rewrite


def test_what_is_read_is_what_was_simulated(simulated, whole):
    root = simulated(DATASET, train=4, val=2, test=3)
    scenes = list(DATASET.scenes(root))
    assert len({scene.id for scene in scenes}) == 9
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        found = [scene for scene in scenes if scene.split == split]
        assert len(found) == count
        drawn = [
            recipe.draw((7, DATASET.name, split, index), index,
                                 Simulation(7, {}, 64, DATASET.gsd))
            for index in range(count)
        ]  # fmt: skip
        for scene in found:
            image, target = scene.image(whole(scene)), scene.target(whole(scene))
            assert image.dtype == DATASET.dtype and target.dtype == np.int16
            same = [mask for _, mask in drawn if np.array_equal(mask, target)]
            assert len(same) == 1
            missing = target == -1
            assert np.isnan(image[:, :, missing]).all()
            assert 0 < np.nanmedian(image[0, BANDS.index("B02")]) < 5000
            whole_image = next(i for i, mask in drawn if np.array_equal(mask, target))
            np.testing.assert_allclose(image[0][:, ~missing], 1e4 * whole_image[:, ~missing],
                                       rtol=1e-5)  # fmt: skip


def test_layout_is_the_published_one(simulated):
    """PANGAEA's patterns find every image, and its mask at the same place of the sorted list."""
    root = simulated(DATASET, train=4, val=2, test=3)
    for folder, count in (("training", 6), ("validation", 3)):
        images = sorted((root / folder).glob("*merged.tif"))
        masks = sorted((root / folder).glob("*mask.tif"))
        assert len(images) == len(masks) == count
        for image, mask in zip(images, masks, strict=True):
            assert image.name.removesuffix(IMAGE) == mask.name.removesuffix(MASK)
            with rasterio.open(image) as raster:
                assert raster.count == 6 and set(raster.dtypes) == {"float32"}


def test_a_tile_of_the_training_folder_is_of_one_split(simulated):
    root = simulated(DATASET, train=4, val=2, test=1)
    splits = {}
    for scene in DATASET.scenes(root):
        if scene.split != "test":
            tile = scene.id.split("/")[1].split(".")[0]
            splits.setdefault(tile, set()).add(scene.split)
    assert all(len(found) == 1 for found in splits.values())


def test_dates_bands_and_windows_keep_their_places(tiny):
    root = tiny(DATASET)
    image = min((root / "validation").glob("*merged.tif"))
    planes = np.arange(1, 7, dtype=np.float32)[:, None, None] / 10
    slope = np.linspace(0, 0.05, 64 * 64, dtype=np.float32).reshape(64, 64)

    def bands(pixels):
        pixels = planes + slope
        pixels[:, 0, 0], pixels[:, 0, 1], pixels[:, 0, 2] = 9999, -9999, -0.9999
        return pixels

    rewrite(image, bands)
    renamed = image.with_name(f"{PREFIX}T10SEH.2020366.v1.4{IMAGE}")
    image.with_name(image.name.replace(IMAGE, MASK)).rename(
        renamed.with_name(renamed.name.replace(IMAGE, MASK))
    )
    image.rename(renamed)
    scene = next(scene for scene in DATASET.scenes(root) if renamed in scene.files)
    assert scene.dates == ("2020-12-31",)
    assert scene.crs == "EPSG:32610"
    pixels = scene.image(Window(0, 0, 10, 20))
    assert np.isnan(pixels[0, :, 0, :3]).all() and not np.isnan(pixels[0, :, 0, 3:]).any()
    window = scene.image(Window(5, 8, 4, 6))
    expected = 1e4 * (planes + slope)[:, 5:9, 8:14]
    np.testing.assert_allclose(window[0], expected, rtol=1e-5)


SCENE, SCARS = "training/*merged.tif", "training/*mask.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("validation not found", rename("validation", "test")),
    ("training holds no .*; expected scenes such as", empty("training")),
    ("scene_merged.tif: found 'scene'; expected scenes such as", rename(SCENE, f"scene{IMAGE}")),
    (r"merged\.tif has 5 band\(s\) of \w+; expected 6", pixels(SCENE, lambda p: p[:5])),
    (
        r"merged\.tif holds the value .*; expected reflectance",
        pixels(SCENE, lambda p: p * 10_000),
    ),
    (r"mask\.tif holds the value 2; expected -1", pixels(SCARS, lambda p: p + 2)),
)
