"""Opening a store: complete and sound, or refused in one line that says what to do."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.tiles.store import TileStore

REMEDY = "run `dvc repro -f tile@toy`"


def test_facts(store):
    assert (store.name, store.kind, store.tile, store.shape) == (
        "toy", "segmentation", 16, (1, 3, 16, 16),
    )  # fmt: skip
    assert store.bands == ("red", "green", "blue") and store.units == ("dn16",) * 3
    assert store.ignore_index == 255 and store.nodata is None
    assert {name: len(store.split(name)) for name in store.splits} == {
        "train": 24, "val": 12, "test": 12,
    }  # fmt: skip


def test_images_are_mapped_and_read_only(store):
    image = store.split("train").image(5)
    with pytest.raises(ValueError, match="read-only"):
        image[:] = 0


def test_index_out_of_range(store):
    for index in (-1, 24):
        with pytest.raises(IndexError):
            store.split("train").image(index)


def test_unknown_split(store):
    with pytest.raises(EosfmError, match="no tiles of split 'vla'; did you mean 'val'"):
        store.split("vla")


def test_pickling_does_not_carry_pixels(store):
    data = pickle.dumps(store.split("val"))
    assert len(data) < 1000
    np.testing.assert_array_equal(pickle.loads(data).image(3), store.split("val").image(3))


def refused(store, *parts):
    with pytest.raises(EosfmError) as error:
        TileStore(store.path)
    assert "\n" not in str(error.value)
    for part in (*parts, REMEDY):
        assert part in str(error.value)


def test_missing_store(tmp_path):
    with pytest.raises(EosfmError, match=r"expected a tile store; run `dvc repro -f tile@eurosat`"):
        TileStore(tmp_path / "eurosat")


@pytest.mark.parametrize("name", ["images-00000.npy", "targets-00000.npy", "tiles.parquet"])
def test_missing_file(store, name):
    (store.path / "val" / name).unlink()
    refused(store, name, "not found")


@pytest.mark.parametrize("keep", [0, 60, 5000])
def test_truncated_shard(store, keep):
    path = store.path / "train" / "images-00000.npy"
    path.write_bytes(path.read_bytes()[:keep])
    refused(store, "images-00000.npy", "truncated or damaged", "expected 24 rows")


def test_shard_of_another_shape(store):
    np.save(store.path / "test" / "targets-00000.npy", np.zeros((12, 8, 8), np.uint8))
    refused(store, "(12, 8, 8)", "(12, 16, 16)")


def test_damaged_or_newer_manifest(store):
    path = store.path / "store.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "format": 2}))
    refused(store, "format 2; expected 1")
    path.write_text(path.read_text()[:40])
    refused(store, "damaged")


def test_cutting_and_reading_start_without_torch():
    code = (
        "import sys; import eosfm.tiles.store;"
        "assert not {'torch', 'eosfm.datasets', 'geopandas'} & set(sys.modules), 'store';"
        "import eosfm.tiles.tiling, eosfm.tiles.writer;"
        "assert not {'torch', 'lightning'} & set(sys.modules), 'cutting'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
