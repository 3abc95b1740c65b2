"""The Cloud Cover Detection Challenge's reader, split rule and recipe."""

import numpy as np
import pytest
from torchgeo.datasets import CloudCoverDetection, DependencyNotFoundError

from eosfm.datasets.cloud_cover import DATASET
from tests.datasets.base import check_same
from tests.datasets.damage import fill, refuses, rename, write


@pytest.mark.parametrize(("split", "ours"), [("train", ("train", "val")), ("test", ("test",))])
def test_torchgeo_reads_the_same(simulated, split, ours):
    root = simulated(DATASET, train=5, val=2)
    theirs = CloudCoverDetection(str(root), split=split)
    scenes = {scene.id: scene for scene in DATASET.scenes(root) if scene.split in ours}
    check_same(theirs, theirs.metadata["chip_id"], scenes)


def test_validation_shares_no_location_with_training(simulated):
    root = simulated(DATASET, train=9, val=5, test=2)
    scenes = list(DATASET.scenes(root))
    splits = [scene.split for scene in scenes]
    assert [splits.count(split) for split in ("train", "val", "test")] == [9, 5, 2]
    assert scenes[0].dates == ("2020-04-01",)
    rows = (root / "train" / "train_metadata.csv").read_text().splitlines()[1:]
    location = {row.split(",")[0]: row.split(",")[1] for row in rows}
    places = {
        split: {location[scene.id] for scene in scenes if scene.split == split}
        for split in ("train", "val")
    }
    assert len(places["train"]) == 3 and len(places["val"]) == 2
    assert not places["train"] & places["val"]
    grounds = [scene.transform for scene in scenes]
    assert len(set(grounds)) == len(grounds)  # no two show the same


def test_folders_may_be_named_as_their_publisher_names_them(simulated, tiny, whole):
    root = tiny(DATASET)
    for ours, published in (("train", "public"), ("test", "private")):
        (root / ours).rename(root / published)
    found, expected = list(DATASET.scenes(root)), list(DATASET.scenes(simulated(DATASET)))
    assert [(s.id, s.split) for s in found] == [(s.id, s.split) for s in expected]
    for scene, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(scene.image(whole(scene)), same.image(whole(same)))
        np.testing.assert_array_equal(scene.target(whole(scene)), same.target(whole(same)))


def test_a_download_keeps_tables_and_takes_none_for_proof(tmp_path, monkeypatch):
    """Torchgeo fetches nothing where it finds the table; a copy laid there by hand needs it."""
    tables = [tmp_path / "train/train_metadata.csv", tmp_path / "public/train_metadata.csv"]
    for table in tables:
        table.parent.mkdir()
        table.write_text("by hand")
    seen = []

    def fetch(root, split, download):
        seen.append([table.exists() for table in tables])
        if len(seen) == 1:
            raise DependencyNotFoundError("azcopy is not installed")
        tables[0].write_text("fetched")

    monkeypatch.setattr("torchgeo.datasets.CloudCoverDetection", fetch)
    with pytest.raises(DependencyNotFoundError):
        DATASET.source.download(tmp_path)
    assert [table.read_text() for table in tables] == ["by hand", "by hand"]
    DATASET.source.download(tmp_path)
    assert seen[:2] == [[False, False]] * 2
    assert [table.read_text() for table in tables] == ["fetched", "by hand"]
    assert sorted(tmp_path.glob("*/*")) == sorted(tables)


def test_the_mask_is_where_it_is_bright(simulated, whole):
    scenes = list(DATASET.scenes(simulated(DATASET, train=6, size=96)))
    shares = [scene.target(whole(scene)).mean() for scene in scenes if scene.split == "train"]
    np.testing.assert_allclose(shares, (0, 0.1, 0.35, 0.6, 0.25, 0.8), atol=0.02)
    cloudy = [scene for scene in scenes if 0 < scene.target(whole(scene)).mean() < 1]
    for scene in cloudy:
        blue, mask = scene.image(whole(scene))[0, 0], scene.target(whole(scene)).astype(bool)
        assert blue[mask].mean() > 1.5 * blue[~mask].mean()


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("train_metadata.csv not found", rename("train", "training")),
    ("holds the value 255; expected 0", fill("train/train_labels/*.tif", 255)),
    (
        "has the columns chip, place; expected chip_id",
        write("train/train_metadata.csv", "chip,place\n0000,Lusaka\n"),
    ),
    (
        "3 band.s. of uint8; expected 1 of uint16",
        fill("train/train_features/*/B02.tif", 0, (3, 64, 64), np.uint8),
    ),
)
