"""What is refused before it becomes a store: scenes, labels and facts that contradict."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from eosfm.core.errors import EosfmError
from tests.tiles.conftest import cut, draw, draw_mask, make_dataset, make_scene, make_store


def test_scenes_that_contradict_the_description(tmp_path):
    def attempt(*scenes, kind="segmentation", tile=8):
        cut(make_dataset(list(scenes), kind), tmp_path / "toy", tile)

    good = make_scene("good", "train", draw(0, 8, 8), draw_mask(0, 8, 8))
    with pytest.raises(EosfmError, match=r"bands.*gives float64|gives float64.*expected uint16"):
        attempt(make_scene("bad", "train", draw(0, 8, 8).astype(float), draw_mask(0, 8, 8)))
    with pytest.raises(EosfmError, match=r"label 9; expected 0 to 3; where it means unlabelled"):
        attempt(make_scene("bad", "train", draw(0, 8, 8), np.full((8, 8), 9)))
    for half in (1.5, np.nan):
        mask = np.where(draw_mask(0, 8, 8) == 1, half, draw_mask(0, 8, 8))
        with pytest.raises(EosfmError, match=rf"label {half}; expected 0 to 3;"):
            attempt(make_scene("bad", "train", draw(0, 8, 8), mask.astype(np.float32)))
    with pytest.raises(EosfmError, match=r"has 1 date\(s\); expected two"):
        attempt(make_scene("bad", "train", draw(0, 8, 8), draw_mask(0, 8, 8)), kind="change")
    for day in ("01.05.2021", "20210501", "April"):
        with pytest.raises(EosfmError, match=f"has a date '{day}'; expected ISO dates"):
            attempt(make_scene("b", "train", draw(0, 8, 8), draw_mask(0, 8, 8), dates=(day,)))
    with pytest.raises(EosfmError, match="has the date 2020-05-01 after 2021-05-01; expected"):
        image, days = draw(0, 8, 8, dates=3), ("2021-05-01", "", "2020-05-01")
        attempt(make_scene("b", "train", image, draw_mask(0, 8, 8), dates=days))
    with pytest.raises(EosfmError, match="two scenes have the id 'good'"):
        attempt(good, good)
    with pytest.raises(EosfmError, match=r"scene big gives tiles of \(1, 3, 9, 9\)"):
        attempt(
            make_scene("small", "train", draw(0, 8, 8), np.int64(1), False),
            make_scene("big", "train", draw(0, 9, 9), np.int64(1), False),
            kind="classification",
        )
    with pytest.raises(EosfmError, match=r"scene more gives .*; let the reader give as many dates"):
        attempt(
            make_scene("few", "train", draw(0, 8, 8, dates=2), draw_mask(0, 8, 8)),
            make_scene("more", "train", draw(0, 8, 8, dates=3), draw_mask(0, 8, 8)),
        )
    with pytest.raises(EosfmError, match=r"a series, raster_scene takes `dates` or `frames`"):
        stacked = draw(0, 8, 8, dates=2).reshape(1, -1, 8, 8)
        attempt(make_scene("stacked", "train", stacked, draw_mask(0, 8, 8)))
    with pytest.raises(EosfmError, match="an infinite value; expected numbers"):
        values = np.full((8, 8), np.inf, np.float32)
        attempt(make_scene("bad", "train", draw(0, 8, 8), values), kind="regression")
    with pytest.raises(EosfmError, match="no training tile"):
        attempt(make_scene("s", "val", draw(0, 8, 8), draw_mask(0, 8, 8)))


def test_nodata_in_some_bands_alone_is_no_measurement(tmp_path):
    image = draw(0, 8, 8).astype(np.int16)
    image[:, :, 0], image[0, 1, 4, 4] = -9999, -9999
    scenes = [make_scene("s", "train", image, draw_mask(0, 8, 8))]
    with pytest.raises(EosfmError, match="s has the nodata value -9999 in some bands of a pixel"):
        cut(make_dataset(scenes, dtype="int16", nodata=-9999), tmp_path / "toy", 8)
    image[0, 1, 4, 4] = 9
    cut(make_dataset(scenes, dtype="int16", nodata=-9999), tmp_path / "toy", 8)


def test_readers_may_give_what_rasterio_gives(tmp_path):
    given = {"crs": CRS.from_epsg(32633), "transform": from_origin(4e5, 5e6, 10, 10)}
    scene = make_scene(7, "train", draw(0, 8, 8), draw_mask(0, 8, 8), dates=[date(2020, 5, 1)])
    scene = replace(scene, files=[str(file) for file in scene.files], **given)
    tile = make_store(tmp_path, [scene], 8).split("train").table.iloc[0]
    assert (tile.scene, tile.crs, [*tile.dates]) == ("7", "EPSG:32633", ["2020-05-01"])
    assert tile.geometry.bounds == pytest.approx((13.728, 45.146, 13.729, 45.146), abs=1e-3)


def test_readers_that_slip_are_told(tmp_path):
    def attempt(reader, **more):
        cut(make_dataset(reader, **more), tmp_path / "toy", 8)

    def scene(split="train", target=None, per_pixel=True, **more):
        target = draw_mask(0, 8, 8) if target is None else target
        return make_scene("a", split, draw(0, 8, 8), target, per_pixel, **more)

    with pytest.raises(EosfmError, match="a has the split 'Train'; expected train, val, test"):
        attempt([scene(split="Train")])
    with pytest.raises(
        EosfmError, match=r"shape \(1, 3, 9, 8\) for .*expected \(T, 3, 8, 8\); let"
    ):
        attempt([replace(scene(), image=lambda window: draw(0, 9, 8))])  # whatever the window
    with pytest.raises(EosfmError, match="has 2 dates for 1 images; expected one each"):
        attempt([scene(dates=("2021-01-01", "2021-02-01"))])
    with pytest.raises(EosfmError, match=r"of elsewhere/a\.tif, which is not below"):
        attempt([replace(scene(), files=(Path("elsewhere/a.tif"),))])
    with pytest.raises(EosfmError, match="scene a names no files; let the reader say what it"):
        attempt([replace(scene(), files=())])
    with pytest.raises(EosfmError, match="no training tile"):
        attempt(lambda root: None)
    for target, said in ((np.array([1]), r"shape \(1,\); expected one class"),
                         (np.array("a"), "a target of <U1; expected numbers")):  # fmt: skip
        with pytest.raises(EosfmError, match=said):
            attempt([scene(target=target, per_pixel=False)], kind="classification")
    # A mask of 0 and 255 of which nobody said that 255 is no class.
    mask = np.where(draw_mask(0, 8, 8) > 1, 255, 0).astype(np.uint8)
    with pytest.raises(EosfmError, match="label 255; expected 0 to 3; where it means unlabelled"):
        attempt([scene(target=mask)])
    attempt([scene(target=mask)], ignore_index=255)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"classes": "water"}, "classes are 'water'; expected a tuple of names, each once"),
        ({"classes": ("a", "b", "a")}, "classes are .*; expected a tuple of names, each once"),
        ({"kind": "multilabel", "ignore_index": 1}, "ignore_index is 1, which says of a label"),
        ({"kind": "regression", "ignore_index": -9999}, "ignore_index is -9999 for regression"),
        ({"classes": tuple(map(str, range(300)))}, "300 classes; expected at most 255"),
        ({"nodata": -9999}, "nodata is -9999, which uint16 cannot hold; give a"),
        ({"nodata": "0"}, "nodata is '0', which uint16 cannot hold; give a"),
        ({"nodata": 0.5}, "nodata is 0.5, which uint16 cannot hold; give a"),
        ({"ignore_index": 2**40}, "ignore_index is 1099511627776; expected a whole number"),
    ],
)
def test_facts_that_no_store_can_hold(tmp_path, facts, line):
    scene = make_scene("good", "train", draw(0, 8, 8), draw_mask(0, 8, 8))
    with pytest.raises(EosfmError, match=f"^toy: {line}"):
        cut(make_dataset([scene], **facts), tmp_path / "toy", 8)
