"""Numbers of another unit than the declared one: refused when tiles are cut, with no store left."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from eosfm.tiles.tiling import cut_dataset
from tests.faults.lines import assert_says, line_of
from tests.fixtures.tasks import dataset

TOY = dataset("segmentation")
CASES = [
    ("reflectance from 0 to 1", "reflectance_1e4", 0.0, 1.0, r"reflectance times 10,000"),
    ("reflectance in percent of 1e6", "reflectance_1e4", 2e5, 9e5, r"reflectance times 10,000"),
    ("bytes from 0 to 1", "dn8", 0.0, 1.0, r"8-bit digital number"),
    ("16 bits where 8 are declared", "dn8", 0.0, 4000.0, r"8-bit digital number"),
    ("16 bits from 0 to 1", "dn16", 0.0, 1.0, r"16-bit digital number"),
    ("amplitude for decibels", "db", 0.0, 900.0, r"decibels"),
    ("centimetres for metres", "m", 1e4, 1e5, r"metres"),
]


def cut(folder: Path, unit: str, low: float, high: float):
    """Cut scenes whose values are spread evenly over a range."""

    def read(image, window):
        return (low + (high - low) * image(window).astype(np.float32) / 255).astype(np.float32)

    def scenes(root):
        return (replace(one, image=partial(read, one.image)) for one in TOY.scenes(root))

    changed = replace(TOY, units=(unit,) * 3, dtype="float32", reader=scenes)
    return cut_dataset(changed, folder, folder / "store", tile=32, source="simulated")


@pytest.mark.parametrize("case", [pytest.param(case, id=case[0]) for case in CASES])
def test_values(case, tmp_path, capsys):
    _, unit, low, high, expected = case
    line = line_of(capsys, lambda: cut(tmp_path, unit, low, high))
    assert_says(line, rf"segmentation: band red has mean .* in training; expected .*{expected}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("unit", "low", "high"),
    [("reflectance_1e4", 0, 60), ("dn8", 0, 255), ("dn16", 0, 4000), ("db", -30, 5), ("m", 0, 40)],
)
def test_values_of_their_unit_are_cut(unit, low, high, tmp_path):
    assert "train 32, " in cut(tmp_path, unit, low, high)
