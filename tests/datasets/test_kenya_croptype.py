"""CV4A Kenya's reader, split rule and recipe."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchgeo.datasets import CV4AKenyaCropType

from eosfm.datasets.kenya_croptype import BANDS, COLS, DATASET, ROWS, TILES, blocks
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipes.kenya_croptype import SIMULATED_DATES
from tests.datasets.damage import fill, refuses, rename

SIZE = 32
pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")


class Small(CV4AKenyaCropType):
    """torchgeo's class for the tiles and dates of a small copy."""

    tiles = ("0",)
    dates = SIMULATED_DATES
    tile_height, tile_width = ROWS * SIZE, COLS * SIZE


def raster(root, name, tile="0"):
    return np.asarray(Image.open(root / "data" / tile / f"{tile}_{name}.tif"))


def test_torchgeo_reads_the_same(simulated, whole):
    root = simulated(DATASET, train=16, val=4, test=4, size=SIZE)
    theirs = Small(str(root), chip_size=SIZE, stride=SIZE, bands=BANDS)
    at = {(y, x): index for index, (_, y, x) in enumerate(theirs.chips_metadata)}
    scenes = list(DATASET.scenes(root))
    assert len(scenes) > 15
    for scene in scenes:
        row, col = (int(part[3:]) for part in scene.id.split("_")[1:])
        sample = theirs[at[row * SIZE, col * SIZE]]
        np.testing.assert_array_equal(scene.image(whole(scene)), sample["image"].numpy())
        ours, published = scene.target(whole(scene)), sample["mask"].numpy()
        assert (ours > 0).any()
        np.testing.assert_array_equal(ours[ours > 0], published[ours > 0])
        # What we leave out are fields that the block shares with another split.
        left_out = set(np.unique(sample["field_ids"].numpy()[(ours == 0) & (published > 0)]))
        assert not left_out & set(np.unique(sample["field_ids"].numpy()[ours > 0]))


@given(st.sampled_from(TILES), st.integers(12, 4000), st.integers(12, 4000))
def test_blocks_cover_a_tile_once_and_hold_a_third_out(tile, height, width):
    cut = blocks(tile, height, width)
    splits = [block.split for block in cut]
    assert [splits.count(name) for name in ("train", "val", "test")] == [16, 4, 4]
    assert sum(block.window.height * block.window.width for block in cut) == height * width
    for first, second in combinations((block.window for block in cut), 2):
        apart = first.row + first.height <= second.row or second.row + second.height <= first.row
        apart |= first.col + first.width <= second.col or second.col + second.width <= first.col
        assert apart


def test_tiles_hold_out_different_blocks():
    held = {tile: tuple(b.split for b in blocks(tile, 3035, 2016)) for tile in TILES}
    assert len(set(held.values())) == len(TILES)


def test_no_field_is_scored_in_two_splits(simulated, whole):
    root = simulated(DATASET, train=16, val=4, test=4, size=SIZE)
    fields, seen = raster(root, "field_id"), {}
    for scene in DATASET.scenes(root):
        row, col = (int(part[3:]) * SIZE for part in scene.id.split("_")[1:])
        mine = fields[row : row + SIZE, col : col + SIZE][scene.target(whole(scene)) > 0]
        assert (mine > 0).all()
        seen.setdefault(scene.split, set()).update(mine.tolist())
    assert all(seen[split] for split in ("train", "val", "test"))
    for first, second in combinations(seen.values(), 2):
        assert not first & second


def test_a_field_across_tiles_of_two_splits_is_left_out(tiny, whole):
    root = tiny(DATASET, train=20, val=4, test=4, size=SIZE)
    for tile, shared in (("0", "val"), ("1", "test")):
        crops = np.zeros((ROWS * SIZE, COLS * SIZE), np.uint8)
        fields = np.zeros(crops.shape, np.int32)
        for number, block in enumerate(blocks(tile, *crops.shape)):
            row, col = block.window[:2]
            crops[row, col], fields[row, col] = 3, 100 * int(tile) + number + 1
            if block.split == shared:
                crops[row + 5, col + 5], fields[row + 5, col + 5] = 4, 9999
        for name, pixels in (("label", crops), ("field_id", fields)):
            Image.fromarray(pixels).save(root / "data" / tile / f"{tile}_{name}.tif")
    scenes = list(DATASET.scenes(root))
    assert len(scenes) == 48
    assert all(np.bincount(scene.target(whole(scene)).ravel())[1:].tolist() == [0, 0, 1]
               for scene in scenes)  # fmt: skip


def test_withheld_fields_are_not_scored(simulated):
    root = simulated(DATASET, train=16, val=4, test=4, size=SIZE)
    crops, fields = raster(root, "label"), raster(root, "field_id")
    assert ((fields > 0) & (crops == 0)).any() and not ((fields == 0) & (crops > 0)).any()
    assert set(np.unique(crops)) <= set(range(8)) and len(np.unique(crops)) >= 7
    assert DATASET.ignore_index == 0
    train, test = zip(
        *(row.split(",") for row in (root / "FieldIds.csv").read_text().splitlines()[1:]),
        strict=True,
    )
    assert {int(number) for number in train if number} == set(np.unique(fields[crops > 0]))
    assert {int(n) for n in train + test if n} == set(np.unique(fields)) - {0}


def test_dates_bands_and_windows_keep_their_places(tiny):
    root = tiny(DATASET, size=SIZE)
    scene = next(scene for scene in DATASET.scenes(root) if "row0_col0" not in scene.id)
    row, col = (int(part[3:]) * SIZE for part in scene.id.split("_")[1:])
    pixels = np.random.default_rng(0).integers(0, 10000, (6 * SIZE, 4 * SIZE), dtype=np.uint16)
    for date, stamp in enumerate(SIMULATED_DATES):
        for band, name in enumerate(BANDS):
            path = root / "data" / "0" / stamp / f"0_{name}_{stamp}.tif"
            # The original's type is no part of the contract, its whole numbers are.
            Image.fromarray((pixels + 100 * date + band).astype(np.float32)).save(path)
    image = scene.image(Window(4, 6, 10, 12))
    assert image.dtype == np.uint16 and image.shape == (4, 12, 10, 12)
    for date, band in np.ndindex(4, 12):
        expected = pixels[row + 4 : row + 14, col + 6 : col + 18] + 100 * date + band
        np.testing.assert_array_equal(image[date, band], expected)
    assert scene.dates == ("2019-06-06", "2019-07-21", "2019-09-09", "2019-11-03")


def move_dates(root):
    for folder in [path for path in (root / "data" / "0").iterdir() if path.is_dir()]:
        folder.rename(root / folder.name)


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("expected the folders data/0 to data/3", rename("data", "tiles")),
    ("holds the value 9; expected classes 0 to 7", fill("data/0/0_label.tif", 9)),
    (
        "holds 0.25, no whole number",
        fill("data/0/20190606/0_B02_20190606.tif", 0.25, dtype=np.float32),
    ),
    ("has 0 date folders", move_dates),
    size=SIZE,
)
