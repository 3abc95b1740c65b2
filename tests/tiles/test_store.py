"""Opening a store: complete and sound, or refused in one line that says what to do."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest

import eosfm.tiles.shards as shards
from eosfm.core.errors import EosfmError
from eosfm.tiles.faults import find_faults
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.tiles.conftest import ROOT, draw, draw_mask, make_dataset, make_scene

REMEDY = "run `dvc repro -f data/dvc.yaml:tile@toy`"


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
    with pytest.raises(
        EosfmError, match=r"expected a tile store; run `dvc repro -f .*:tile@eurosat`"
    ):
        TileStore(tmp_path / "eurosat")


@pytest.mark.parametrize("name", ["images-00000.npy", "targets-00000.npy", "tiles.parquet"])
def test_missing_file(store, name):
    (store.path / "val" / name).unlink()
    refused(store, name, "not found")


@pytest.mark.parametrize("keep", [0, 60, 5000])
def test_truncated_shard(store, keep):
    path = store.path / "train" / "images-00000.npy"
    path.write_bytes(path.read_bytes()[:keep])
    refused(
        store, "images-00000.npy", "truncated or damaged", f"{keep} bytes", "(24, 1, 3, 16, 16)"
    )


def test_shard_of_another_shape(store):
    np.save(store.path / "test" / "targets-00000.npy", np.zeros((12, 8, 8), np.uint8))
    refused(store, "896 bytes", "expected 3200, for uint8 (12, 16, 16)")


def test_shard_of_another_type(store):
    path = store.path / "val" / "targets-00000.npy"
    np.save(path, np.load(path).astype(np.int8))
    with pytest.raises(EosfmError, match=r"damaged: another header than that of uint8 .*tile@toy"):
        TileStore(store.path).split("val").target(0)


def test_shard_that_went_away(store):
    split = store.split("val")
    (split.path / "images-00000.npy").unlink()
    with pytest.raises(EosfmError, match=r"images-00000.npy cannot be opened \(No such file"):
        split.image(0)


def test_more_shards_than_descriptors(store, monkeypatch):
    """80 shards through 64 descriptors, in this process and in loader workers."""
    dataset = make_dataset([
        make_scene(f"s{i}", split, draw(i, 16, 16), draw_mask(i, 16, 16))
        for split, first in (("train", 0), ("val", 80))
        for i in range(first, first + 80)
    ])  # fmt: skip
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)
    cut_dataset(dataset, ROOT, store.path, 16, source="archive")
    assert len(list((store.path / "train").glob("images-*.npy"))) == 80
    run = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(store.path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["80", "80", "80"]


READ_ALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from eosfm.tiles.datamodule import TileDataModule
from eosfm.tiles.store import TileStore
store = TileStore(sys.argv[1])
print(sum(1 for target in store.split("train").targets if target.shape == (16, 16)))
module = TileDataModule(store, ("red", "green", "blue"), 4, workers=2)
for loader in (module.train_dataloader(), module.val_dataloader()):
    print(sum(len(batch["image"]) for batch in loader))
"""


def test_too_few_descriptors_are_said_to_be_that(store):
    code = (
        "import os, resource, sys\n"
        "from eosfm.tiles.store import TileStore\n"
        "split = TileStore(sys.argv[1]).split('train')\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir('/proc/self/fd')) - 1,) * 2)\n"
        "split.image(0)"
    )
    run = subprocess.run([sys.executable, "-c", code, store.path], capture_output=True, text=True)
    assert "images-00000.npy cannot be opened (Too many open files)" in run.stderr
    assert "ulimit -n" in run.stderr and "damaged" not in run.stderr


def test_another_format(store):
    path = store.path / "store.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    refused(store, "is of format 1; expected 2")


DAMAGE = {
    "cut off": lambda text: text[:40],
    "no text": lambda text: "",
    "a list": lambda text: "[]",
    "no format": lambda text: text.replace('"format": 2,', ""),
}
CHANGES = {
    "an unknown key": {"colour": "red"},
    "another kind": {"kind": "segmentaton"},
    "a band too few": {"bands": ["red", "green"]},
    "an unknown band": {"bands": ["red", "green", "bleu"]},
    "a unit too few": {"units": ["dn16"]},
    "no deviation": {"std": {"red": 0, "green": 1, "blue": 1}},
    "a mean too few": {"mean": {"red": 1.0}},
    "an infinite mean": {"mean": {"red": float("inf"), "green": 1, "blue": 1}},
    "a share above one": {"valid": {"red": 2, "green": 1, "blue": 1}},
    "no splits": {"splits": {}},
    "another split": {"splits": {"train": {"rows": [], "files": {}}}},
    "a shape of three": {"shape": [3, 16, 16]},
    "a negative shape": {"shape": [1, 3, -16, 16]},
    "a group too few": {"groups": [{"bands": ["red"], "dtype": "uint16"}]},
    "no dtype": {"groups": [{"bands": ["red", "green", "blue"], "dtype": "object"}]},
    "a step of none": {"groups": [{"bands": ["red", "green", "blue"], "dtype": "u1", "step": 0}]},
}


@pytest.mark.parametrize("change", [*DAMAGE, *CHANGES])
def test_a_damaged_manifest_is_one_line(store, change):
    path = store.path / "store.json"
    text = path.read_text()
    edit = DAMAGE.get(change, lambda text: json.dumps({**json.loads(text), **CHANGES[change]}))
    path.write_text(edit(text))
    refused(store, "store.json is damaged")


@pytest.mark.parametrize("name", ["images-00000.npy", "targets-00000.npy", "tiles.parquet"])
def test_a_changed_byte_is_found(store, name):
    assert find_faults(store.path) == []
    path = store.path / "val" / name
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    (fault,) = find_faults(store.path)
    assert f"val/{name} is damaged: CRC-32" in fault and REMEDY in fault and "\n" not in fault


def test_cutting_and_reading_start_without_torch():
    code = (
        "import sys; import eosfm.tiles.store;"
        "assert not {'torch', 'eosfm.datasets', 'geopandas'} & set(sys.modules), 'store';"
        "import eosfm.tiles.tiling, eosfm.tiles.writer;"
        "assert not {'torch', 'lightning'} & set(sys.modules), 'cutting'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
