"""DynamicEarthNet's reader and recipe."""

import numpy as np
import rasterio

from eosfm.datasets.dynamic_earthnet import BANDS, DATASET, DAYS
from eosfm.datasets.native.spec import Window
from eosfm.simulation.images import write_geotiff
from tests.datasets.damage import fill, refuses, remove, rename, write


def listed(root, split="train"):
    """The rows of a split file: image folder, label and month, as paths below the root."""
    rows = (root / "dynnet_training_splits" / f"{split}.txt").read_text().splitlines()
    for row in rows:
        images, label, month = row.split(" ")
        yield root / images.replace("/reprocess-cropped/UTM-24000/", "planet/"), label, month


def save(path, pixels):
    write_geotiff(path, pixels, 3.0, (500000, 5600000))


def first(root):
    return next(iter(DATASET.scenes(root)))


def test_scenes_follow_the_split_files(simulated, whole):
    root = simulated(DATASET, train=3, val=2, test=1)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"]
    rows = [row for split in ("train", "val", "test") for row in listed(root, split)]
    areas = [images.parent.name for images, _, _ in rows]
    assert len(set(areas)) == 6  # no area is in two splits
    for scene, (images, label, month), area in zip(scenes, rows, areas, strict=True):
        assert scene.id == f"{area}_{month}"
        assert scene.product == area  # months of an area are drawn together
        assert scene.dates == tuple(
            f"{month}-{day}" for day in ("01", "05", "10", "15", "20", "25")
        )
        image, target = scene.image(whole(scene)), scene.target(whole(scene))
        assert image.shape == (6, 4, 64, 64) and image.dtype == DATASET.dtype
        for day, pixels in zip(DAYS, image, strict=True):
            with rasterio.open(images / f"{month}-{day}.tif") as raster:
                np.testing.assert_array_equal(pixels, raster.read())
                assert scene.transform == tuple(raster.transform)[:6]
        with rasterio.open(root / label.lstrip("/")) as raster:
            for name in range(7):
                scored = name if name < 6 else -1
                assert (target[raster.read(name + 1) == 255] == scored).all()


def test_labels_that_came_later_lie_in_a_folder_of_their_own(simulated, whole):
    root = simulated(DATASET, train=1, val=2, test=1)
    before = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    for split in ("val", "test"):
        for _, label, _ in listed(root, split):
            _, area, *rest = label.lstrip("/").split("/")
            later = root.joinpath("dynamicearthnet_test_labels", area, *rest)
            later.parent.mkdir(parents=True, exist_ok=True)
            (root / label.lstrip("/")).rename(later)
    after = [scene.target(whole(scene)) for scene in DATASET.scenes(root)]
    np.testing.assert_array_equal(before, after)


def test_bands_days_and_windows_keep_their_places(tiny):
    root = tiny(DATASET)
    images, _, month = next(listed(root))
    pixels = np.random.default_rng(0).integers(1, 9000, (4, 64, 64)).astype(np.int16)
    for number, day in enumerate(DAYS):
        # The numbers count, whichever integers they are stored as.
        save(images / f"{month}-{day}.tif", (pixels + 100 * number).astype(np.uint16))
    save(images / f"{month}-02.tif", np.zeros((4, 64, 64), np.int16))  # not read
    image = first(root).image(Window(4, 6, 10, 12))
    for number in range(len(DAYS)):
        np.testing.assert_array_equal(image[number], pixels[:, 4:14, 6:18] + 100 * number)
    assert BANDS == ("blue", "green", "red", "nir")


def test_snow_and_unlabelled_pixels_are_not_scored(tiny):
    root = tiny(DATASET)
    _, label, _ = next(listed(root))
    layers = np.zeros((7, 64, 64), np.uint8)
    for name in range(7):
        layers[name, 8 * name : 8 * name + 8] = 255
    save(root / label.lstrip("/"), layers)
    target = first(root).target(Window(0, 3, 64, 5))
    assert DATASET.ignore_index == -1 and len(DATASET.classes) == 6
    np.testing.assert_array_equal(target[::8, 0], [0, 1, 2, 3, 4, 5, -1, -1])


def test_label_folders_with_a_hyphen(tiny, whole):
    root = tiny(DATASET)
    expected = first(root).target(whole(first(root)))
    _, label, _ = next(listed(root))
    folder = root / label.lstrip("/").split("/Labels")[0]
    folder.rename(folder.with_name(folder.name.replace("_33N", "-33N")))
    np.testing.assert_array_equal(first(root).target(whole(first(root))), expected)


def test_classes_of_the_simulated_areas(simulated, whole):
    root = simulated(DATASET, train=23, val=1, test=1)
    counts = np.zeros(8)
    for scene in DATASET.scenes(root):
        counts += np.bincount(scene.target(whole(scene)).ravel() + 1, minlength=8)
    assert (counts[:7] > 0).all() and counts[1:].max() < 0.6 * counts.sum()


DAY, LABEL = "planet/*/*/*/PF-SR/2018-01-01.tif", "labels/*/*/*/*/*-2018_01_01.tif"
test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("val.txt not found", remove("dynnet_training_splits/val.txt")),
    (
        "train.txt: found 'planet/a label.tif 2018-01'",
        write("dynnet_training_splits/train.txt", "planet/a label.tif 2018-01\n"),
    ),
    (r"has no images of \w+ \(.*/PF-SR\); fetch .*or take", rename("planet/**/PF-SR", "PF")),
    (r"2018-01-01.tif has 3 band\(s\)", fill(DAY, 1, (3, 64, 64))),
    ("2018-01-01.tif holds 0.25, no whole number", fill(DAY, 0.25, dtype=np.float32)),
    ("2018_01_01.tif holds values up to 1", fill(LABEL, 1)),
    (r"2018_01_01.tif has 1 band\(s\)", fill(LABEL, 1, (1, 64, 64))),
)
