"""Stores as they are planned, against stores as they are cut."""

from dataclasses import replace

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets import DATASETS, get_dataset
from eosfm.planning.facts import ARCHIVES, archive_facts
from eosfm.planning.plan import at_scale
from eosfm.planning.stores import ROW_BYTES, planned_store, planned_stores
from eosfm.simulation.recipe import Simulation
from eosfm.simulation.recipes import get_recipe
from tests.fixtures.tasks import TASKS
from tests.planning.conftest import planned_fixture


@pytest.mark.parametrize("name", TASKS)
def test_a_planned_store_is_the_one_that_is_cut(stores, name):
    planned, store = planned_fixture(name), stores[name]
    assert planned.shape == tuple(store.shape)
    assert planned.tiles == {split: len(store.split(split)) for split in store.splits}
    shards = [*store.path.rglob("images-*.npy"), *store.path.rglob("targets-*.npy")]
    pixels = planned.bytes - ROW_BYTES * sum(planned.tiles.values())
    assert pixels == pytest.approx(sum(shard.stat().st_size for shard in shards), rel=0.01)


def test_every_dataset_that_can_be_downloaded_has_facts_and_no_unknown_one():
    sources = {name: get_dataset(name).source for name in DATASETS}
    fetched = {name for name, source in sources.items() if source.archives or source.download}
    assert fetched <= set(ARCHIVES) <= set(DATASETS)


def test_facts_of_an_unknown_archive_are_refused():
    with pytest.raises(EosfmError, match=r"knows no size of dataset 'atlantis'.*facts\.py"):
        archive_facts("atlantis")


def test_edges_are_padded_and_images_with_one_answer_stay_whole(real):
    full = at_scale(real, "full")
    potsdam, eurosat = planned_store(full, "potsdam"), planned_store(full, "eurosat")
    assert potsdam.tiles["train"] == 20 * 12 * 12  # 6000 px are 11.7 tiles of 512
    assert eurosat.tiles["train"] == 16_200
    assert eurosat.shape == (1, 13, 64, 64)


def test_of_a_part_of_an_archive_the_scenes_that_are_there_count(real, tmp_path):
    get_recipe("oscd")(tmp_path, Simulation(0, {"train": 2, "val": 1, "test": 1}, 96, 10.0))
    entry = real.datasets["oscd"].model_copy(update={"source": "archive", "root": str(tmp_path)})
    found = {}
    for scenes in ("published", "any"):
        own = entry.model_copy(update={"scenes": scenes})
        params = real.model_copy(update={"datasets": {"oscd": own}})
        found[scenes] = planned_store(params, "oscd").scenes
    assert found == {
        "published": {"train": 11, "val": 3, "test": 10},
        "any": {"train": 2, "val": 1, "test": 1},
    }


def test_scenes_of_several_sizes_are_cut_to_as_many_tiles_as_each_has(real, tmp_path, monkeypatch):
    """One of 200 px among small ones is more tiles than two of the mean size."""
    seed = Simulation(0, {"train": 2, "val": 1, "test": 1}, 40, 10.0)
    get_recipe("oscd")(tmp_path / "small", seed)
    monkeypatch.setattr("eosfm.planning.stores.get_dataset", lambda name: dataset)
    dataset = get_dataset("oscd")
    first, *rest = dataset.scenes(tmp_path / "small")
    scenes = [replace(first, height=200, width=100), *rest]
    dataset = replace(dataset, reader=lambda root: iter(scenes))
    own = {"source": "archive", "root": str(tmp_path / "small"), "scenes": "any", "tile": 64}
    entry = real.datasets["oscd"].model_copy(update=own)
    params = real.model_copy(update={"datasets": {"oscd": entry}})
    assert planned_store(params, "oscd").tiles == {"train": 4 * 2 + 1, "val": 1, "test": 1}


@pytest.mark.parametrize(("root", "told"), [("empty", "no labelled scene"), ("no", "no folder")])
def test_of_an_archive_without_facts_the_root_must_hold_some(
    real, tmp_path, monkeypatch, root, told
):
    (tmp_path / "empty").mkdir()
    monkeypatch.delitem(ARCHIVES, "oscd")
    # As of a reader of one's own, which looks for files and names none.
    monkeypatch.setattr("eosfm.planning.stores.part_facts", lambda *_: None)
    own = {"source": "archive", "root": str(tmp_path / root)}
    entry = real.datasets["oscd"].model_copy(update=own)
    params = real.model_copy(update={"datasets": {"oscd": entry}})
    with pytest.raises(EosfmError, match=rf"^datasets\.oscd.*{told}; expected a copy of "):
        planned_store(params, "oscd")


def test_splits_that_nothing_reads_have_no_tiles(real):
    stores = planned_stores(real)
    assert stores["sen12ms"].tiles["test"] == 0
    for name, store in stores.items():
        cut = {split for split, count in store.tiles.items() if count}
        assert cut <= set(real.dataset(name).splits)
