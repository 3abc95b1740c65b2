"""PASTIS-R's reader, folds and recipe."""

import json
from datetime import date

import numpy as np
from torchgeo.datasets import PASTIS

from eosfm.datasets.native.spec import Window
from eosfm.datasets.pastis import CLASSES, DATASET, DATES, S2, VOID
from tests.datasets.damage import refuses, rename, write

COUNTS = {"train": 4, "val": 1, "test": 2, "size": 64}


def metadata(root):
    return json.loads((root / "PASTIS-R" / "metadata.geojson").read_text())


def rewrite(root, change):
    """Apply ``change`` to the first patch's properties."""
    table = metadata(root)
    change(table["features"][0]["properties"])
    (root / "PASTIS-R" / "metadata.geojson").write_text(json.dumps(table))


def days(properties, sensor):
    return [date.fromisoformat(str(day)) for day in properties[f"dates-{sensor}"].values()]


def test_torchgeo_reads_the_same(simulated, whole):
    root = simulated(DATASET, **COUNTS)
    scenes = {scene.id: scene for scene in DATASET.scenes(root)}
    facts = {str(f["properties"]["ID_PATCH"]): f["properties"] for f in metadata(root)["features"]}
    lengths = set()
    for split, folds in {"train": (1, 2, 3), "val": (4,), "test": (5,)}.items():
        views = [PASTIS(str(root), folds, bands, "semantic") for bands in ("s2", "s1a")]
        patches = [str(patch) for patch in views[0].idxs]
        assert patches == [scene.id for scene in scenes.values() if scene.split == split]
        for place, patch in enumerate(patches):
            scene = scenes[patch]
            optical, radar = (view[place]["image"].numpy() for view in views)
            image = scene.image(whole(scene))
            np.testing.assert_array_equal(
                scene.target(whole(scene)), views[0][place]["mask"].numpy()
            )
            s2, s1 = days(facts[patch], "S2"), days(facts[patch], "S1A")
            lengths.add(len(s2))
            taken = [s2.index(date.fromisoformat(day)) for day in scene.dates]
            assert taken[0] == 0 and taken[-1] == len(s2) - 1 and len(set(taken)) == DATES
            np.testing.assert_array_equal(image[:, :10], optical[taken])
            for step, day in enumerate(s2[t] for t in taken):
                gaps = [abs(other - day) for other in s1]
                np.testing.assert_array_equal(image[step, 10:], radar[gaps.index(min(gaps))])
    assert len(lengths) > 1


def test_splits_are_the_folds(simulated):
    root = simulated(DATASET, **COUNTS)
    assert [scene.split for scene in DATASET.scenes(root)] == ["train"] * 4 + ["val"] + ["test"] * 2
    assert [f["properties"]["Fold"] for f in metadata(root)["features"]] == [1, 2, 3, 1, 4, 5, 5]


def test_bands_dates_and_windows_keep_their_places(tiny):
    root = tiny(DATASET, **COUNTS)
    rng = np.random.default_rng(0)
    optical = rng.integers(0, 9000, (11, 10, 64, 64)).astype(np.int16)
    radar = rng.normal(-12, 3, (3, 3, 64, 64)).astype(np.float16)
    np.save(root / "PASTIS-R" / "DATA_S2" / "S2_10000.npy", optical)
    np.save(root / "PASTIS-R" / "DATA_S1A" / "S1A_10000.npy", radar)

    def change(properties):
        # Listed out of order: the reader goes by date.
        listed = [20190101 + day for day in (10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)]
        properties["dates-S2"] = {str(place): day for place, day in enumerate(listed)}
        properties["dates-S1A"] = {"0": 20190111, "1": 20190102, "2": 20190105}

    rewrite(root, change)
    scene = next(iter(DATASET.scenes(root)))
    assert scene.dates == tuple(f"2019-01-{day:02d}" for day in (1, 3, 5, 7, 9, 11))
    image = scene.image(Window(4, 6, 10, 12))
    assert image.dtype == np.float32 and image.shape == (DATES, 13, 10, 12)
    np.testing.assert_array_equal(image[:, :10], optical[[1, 3, 5, 7, 9, 0], :, 4:14, 6:18])
    np.testing.assert_array_equal(image[:, 10:], radar[[1, 1, 2, 2, 0, 0], :, 4:14, 6:18])
    assert DATASET.bands == (*S2, "vv", "vh", "vv_vh")


def test_unmeasured_pixels_are_nan_in_the_optical_bands(tiny, whole):
    root = tiny(DATASET, **COUNTS)
    path = root / "PASTIS-R" / "DATA_S2" / "S2_10000.npy"
    optical = np.load(path)
    optical[0, :, :8] = -10000
    optical[0, 3, 20] = -10000  # one band alone is a measurement
    np.save(path, optical)
    scene = next(iter(DATASET.scenes(root)))
    missing = np.isnan(scene.image(whole(scene)))
    assert missing[0, :10, :8].all() and missing.sum() == 10 * 8 * 64


def test_few_acquisitions_are_filled_with_missing_dates(tiny, whole):
    root = tiny(DATASET, **COUNTS)
    path = root / "PASTIS-R" / "DATA_S2" / "S2_10000.npy"
    np.save(path, np.load(path)[:2])
    rewrite(root, lambda p: p.update({"dates-S2": {"0": 20190103, "1": 20190401}}))
    scene = next(iter(DATASET.scenes(root)))
    image = scene.image(whole(scene))
    assert scene.dates == ("2019-01-03", *["2019-04-01"] * 5)
    assert not np.isnan(image[:2]).any() and np.isnan(image[2:]).all()


def test_parcels_have_classes_and_the_cut_ones_are_void(simulated, whole):
    root = simulated(DATASET, train=12, val=1, test=1, size=128)
    shares = np.zeros(len(CLASSES))
    for scene in DATASET.scenes(root):
        target = scene.target(whole(scene))
        shares += np.bincount(target.ravel(), minlength=len(CLASSES)) / target.size
        if (target == VOID).any():
            assert (target[1:-1, 1:-1] == VOID).mean() < 0.5
    assert (shares > 0).sum() >= 9 and shares[VOID] > 0 and shares.max() < 0.6 * shares.sum()


def properties(change):
    return lambda root: rewrite(root, change)


def array(name, change):
    def damage(root):
        path = root / "PASTIS-R" / name
        np.save(path, change(np.load(path)))

    return damage


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("metadata.geojson not found", rename("PASTIS-R", "PASTIS")),
    ("metadata.geojson is not the file expected", write("PASTIS-R/metadata.geojson", "{}")),
    ("Fold 1 to 5", properties(lambda p: p.update(Fold=6))),
    (
        "metadata.geojson gives a date that is none",
        properties(lambda p: p["dates-S1A"].update({"0": 20191301})),
    ),
    (
        r"S2_10000.npy holds an array of shape",
        properties(lambda p: p["dates-S2"].popitem()),
    ),
    (
        r"S2_10000.npy holds .*expected \(\d, 10, 64, 64\)",
        array("DATA_S2/S2_10000.npy", lambda optical: optical[:, :9]),
    ),
    (
        "TARGET_10000.npy holds the value .*; expected classes 0 to 19",
        array("ANNOTATIONS/TARGET_10000.npy", lambda classes: classes + np.uint8(20)),
    ),
    **COUNTS,
)
