import json

import numpy as np
import pytest
import rasterio

from eosfm.datasets.native.spec import Window
from eosfm.datasets.opencanopy import BUILDING, CELLS, DATASET, FOLDER, UNCLASSIFIED
from eosfm.simulation.recipes.opencanopy import MARGIN
from tests.datasets.damage import pixels, refuses, remove, rewrite


def cells(change):
    """Damage to the features of the grid."""

    def damage(root):
        path = root / FOLDER / CELLS
        grid = json.loads(path.read_text())
        change(grid["features"])
        path.write_text(json.dumps(grid))

    return damage


def test_cells_follow_the_grid_and_the_buffer_is_left_out(simulated):
    root = simulated(DATASET, train=3, val=2, test=1)
    cells = json.loads((root / FOLDER / CELLS).read_text())["features"]
    assert [cell["properties"]["split"] for cell in cells].count("buffer") == 1
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert len({scene.id for scene in scenes}) == 6
    assert {(scene.height, scene.width) for scene in scenes} == {(64, 64)}
    assert scenes[0].dates == ("2022-06-11",)
    for scene, cell in zip(scenes, cells, strict=False):
        west, north = np.array(cell["geometry"]["coordinates"][0])[3]
        assert (scene.transform[2], scene.transform[5]) == pytest.approx((west, north))


def test_a_cell_is_cut_out_of_its_image(simulated, whole):
    root = simulated(DATASET)
    scene = next(iter(DATASET.scenes(root)))
    with rasterio.open(scene.files[0]) as raster:
        pixels = raster.read()
    inside = slice(MARGIN, MARGIN + 64)
    np.testing.assert_array_equal(scene.image(whole(scene)), pixels[None, :, inside, inside])
    cut = scene.image(Window(7, 30, 20, 10))
    np.testing.assert_array_equal(cut[0], pixels[:, MARGIN + 7 :, MARGIN + 30 :][:, :20, :10])


def test_heights_are_metres_and_unlabelled_pixels_nan(tiny, whole):
    root = tiny(DATASET)
    scene = next(iter(DATASET.scenes(root)))
    heights = np.random.default_rng(0).integers(0, 400, (1, 96, 96)).astype(np.uint16)
    classes = np.full((1, 96, 96), 5, np.uint8)
    classes[0, MARGIN, MARGIN : MARGIN + 6] = (2, 3, 9, BUILDING, UNCLASSIFIED, 0)
    rewrite(scene.files[1], lambda _: heights)
    rewrite(scene.files[2], lambda _: classes)
    target = scene.target(whole(scene))
    assert target.dtype == np.float32
    assert np.isnan(target[0, :6]).tolist() == [False] * 3 + [True] * 3
    assert np.isnan(target).sum() == 3
    expected = heights[0, MARGIN:-MARGIN, MARGIN:-MARGIN] / 10
    np.testing.assert_allclose(target[1:], expected[1:], rtol=1e-6)


def test_lidar_on_a_shifted_grid_is_aligned(tiny, whole):
    root = tiny(DATASET)
    scene = next(iter(DATASET.scenes(root)))
    before = scene.target(whole(scene))
    # Two pixels and a fraction to the east: the same ground lies two columns further left.
    for path in scene.files[1:]:
        rewrite(path, lambda pixels: np.roll(pixels, -2, axis=2), shift=2.2 * 1.5)
    after = next(iter(DATASET.scenes(root))).target(whole(scene))
    np.testing.assert_array_equal(before, after)


def test_woods_have_heights(simulated, whole):
    root = simulated(DATASET, train=3)
    heights = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    assert 5 < np.nanmax(heights) < 60
    assert np.nanmin(heights) >= 0
    assert np.nanstd(heights) > 1


def move_the_first(features):
    ring = features[0]["geometry"]["coordinates"][0]
    features[0]["geometry"]["coordinates"][0] = [[east + 500, north] for east, north in ring]


SPOT = f"{FOLDER}/2022/spot/*"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("geometries.geojson not found", remove(f"{FOLDER}/{CELLS}")),
    (
        "expected polygons with lidar_year",
        cells(lambda features: features[0]["properties"].pop("lidar_year")),
    ),
    (
        "split 'holdout'",
        cells(lambda features: features[0]["properties"].update(split="holdout")),
    ),
    ("does not cover the cell", cells(move_the_first)),
    (
        "a raster that geometries.geojson names",
        remove(f"{FOLDER}/2022/lidar_classification/*"),
    ),
    (r"3 band\(s\)", pixels(SPOT, lambda p: p[:3])),
)


def test_a_pixel_size_without_exact_binary_form_loses_no_pixel(simulated):
    root = simulated(DATASET, train=1, gsd=0.7)
    assert {(scene.height, scene.width) for scene in DATASET.scenes(root)} == {(64, 64)}
