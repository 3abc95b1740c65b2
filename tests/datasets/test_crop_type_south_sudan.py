"""CropTypeMapping South Sudan's reader, partition and recipe."""

import json

import numpy as np

from eosfm.datasets.crop_type_south_sudan import DATASET, DATES, PARTITION, S2
from eosfm.datasets.native.spec import Window
from eosfm.simulation.recipes.crop_type_south_sudan import QUARTERS
from tests.datasets.damage import refuses, rename, truncate, write

COUNTS = {"train": 5, "val": 1, "test": 2, "size": 32}


def chip(root, kind, name="000000"):
    """A chip's file of a kind: npy, truth, s1 or s2."""
    folder = root / "southsudan" / kind
    if kind in ("s1", "s2"):
        return folder / f"{kind}_southsudan_{name}.json"
    return folder / f"southsudan_{name}.npz"


def arrays(root, name="000000"):
    with np.load(chip(root, "npy", name)) as stacks, np.load(chip(root, "truth", name)) as truth:
        return stacks["s2"], stacks["s1"], truth["truth"]


def days(root, sensor, name="000000"):
    return json.loads(chip(root, sensor, name).read_text())["dates"]


def save_dates(root, sensor, dates):
    chip(root, sensor).write_text(json.dumps({"dates": dates}))


def first(root):
    return next(iter(DATASET.scenes(root)))


def test_scenes_follow_the_partition(simulated, whole):
    root = simulated(DATASET, **COUNTS)
    scenes = list(DATASET.scenes(root))
    assert [scene.id for scene in scenes] == [f"{number:06d}" for number in range(8)]
    assert [scene.split for scene in scenes] == ["train"] * 5 + ["val"] + ["test"] * 2
    for scene in scenes:
        s2, s1, truth = arrays(root, scene.id)
        optical, radar = days(root, "s2", scene.id), days(root, "s1", scene.id)
        assert s2.shape == (10, 32, 32, len(optical)) and s1.shape == (3, 32, 32, len(radar))
        image, target = scene.image(whole(scene)), scene.target(whole(scene))
        assert image.shape == (DATES, 12, 32, 32) and image.dtype == DATASET.dtype
        assert scene.dates[0] == optical[0] and scene.dates[-1] == optical[-1]
        for step, day in enumerate(scene.dates):
            np.testing.assert_array_equal(image[step, :10], s2[..., optical.index(day)])
            gaps = [abs(np.datetime64(other) - np.datetime64(day)) for other in radar]
            np.testing.assert_array_equal(image[step, 10:], s1[:2, ..., gaps.index(min(gaps))])
        scored = (truth >= 1) & (truth <= 4)
        np.testing.assert_array_equal(target[scored], truth[scored].astype(int) - 1)
        assert (target[~scored] == DATASET.ignore_index).all()


def test_chips_of_one_landscape_are_in_one_split(simulated):
    root = simulated(DATASET, **COUNTS)
    calendars = {name: days(root, "s2", f"{name:06d}") for name in range(8)}
    together = [calendars[number] == calendars[0] for number in range(8)]
    assert together == [True] * QUARTERS + [False] * 4
    assert calendars[5] != calendars[6] == calendars[7]


def test_bands_dates_and_windows_keep_their_places(tiny):
    root = tiny(DATASET, **COUNTS)
    rng = np.random.default_rng(0)
    s2 = rng.integers(1, 9000, (10, 32, 32, 11)).astype(np.uint16)
    s1 = rng.normal(-12, 3, (3, 32, 32, 2))
    np.savez_compressed(chip(root, "npy"), s1=s1, s2=s2, planet=np.zeros((4, 100, 100, 1)))
    dates = [f"2017-03-{day:02d}" for day in (12, *range(1, 11))]
    save_dates(root, "s2", dates)
    save_dates(root, "s1", ["2017-03-11", "2017-03-02"])
    scene = first(root)
    assert scene.dates == tuple(f"2017-03-{day:02d}" for day in (1, 3, 5, 7, 9, 12))
    image = scene.image(Window(4, 6, 10, 12))
    for step, (optical, radar) in enumerate([(1, 1), (3, 1), (5, 1), (7, 0), (9, 0), (0, 0)]):
        np.testing.assert_array_equal(image[step, :10], s2[:, 4:14, 6:18, optical])
        np.testing.assert_array_equal(image[step, 10:], s1[:2, 4:14, 6:18, radar].astype("f4"))
    assert DATASET.bands == (*S2, "vv", "vh")


def test_unmeasured_pixels_and_dates_are_nan(tiny, whole):
    root = tiny(DATASET, **COUNTS)
    s2, s1, _ = arrays(root)
    s2, s1 = s2[..., :3].copy(), s1.copy()
    s2[:, :4, :, 0] = 0
    s2[2, 20, 20, 0] = 0  # one band alone is a measurement
    s1[:2, 9] = 0
    s1[2, 9] = np.nan  # 0 / 0
    np.savez(chip(root, "npy"), s1=s1, s2=s2)
    save_dates(root, "s2", days(root, "s2")[:3])
    scene = first(root)
    missing = np.isnan(scene.image(whole(scene)))
    assert len(scene.dates) == DATES and missing[3:].all()
    assert missing[0, :10, :4].all() and not missing[:3, :10, 4:].any()
    assert missing[:3, 10:, 9].all() and missing[:3, 10:].sum() == 3 * 2 * 32


def test_rare_crops_are_not_scored(tiny, whole):
    root = tiny(DATASET, **COUNTS)
    truth = np.zeros((32, 32))
    truth[0, :9] = range(9)
    np.savez(chip(root, "truth"), truth=truth)
    scene = first(root)
    assert scene.target(whole(scene))[0, :10].tolist() == [-1, 0, 1, 2, 3, -1, -1, -1, -1, -1]


def test_simulated_labels_are_sparse(simulated, whole):
    root = simulated(DATASET, train=12, val=4, test=4, size=64)
    target = np.stack([scene.target(whole(scene)) for scene in DATASET.scenes(root)])
    shares = np.bincount(target.ravel() + 1, minlength=5) / target.size
    assert 0.4 < shares[0] < 0.9 and (shares[1:] > 0.01).all() and shares[1] == max(shares[1:])


def damage_bytes(root):
    path = chip(root, "npy")
    content = bytearray(path.read_bytes())
    content[20000:20008] = bytes(8)
    path.write_bytes(content)


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("list_eval_partition.csv not found", rename("southsudan", "south_sudan")),
    (
        "list_eval_partition.csv is not the file expected .*; expected partition 0",
        write(f"southsudan/{PARTITION}", "id,partition\n0,3\n"),
    ),
    (
        "chips 000002, 000004 .* or take their ids out of",
        lambda root: [truncate(f"southsudan/npy/*00{n}.npz")(root) for n in (2, 4)],
    ),
    ("npy/southsudan_000000.npz is damaged", damage_bytes),
    (
        "npy/southsudan_000000.npz is damaged .*s1",
        lambda root: np.savez(chip(root, "npy"), s2=arrays(root)[0]),
    ),
    (
        r"npy/southsudan_000000.npz holds s2 of shape .*expected \(10, 32, 32",
        lambda root: save_dates(root, "s2", days(root, "s2")[1:]),
    ),
    (
        "s1_southsudan_000000.json is not the file expected .*; expected a list of dates",
        write("southsudan/s1/*_000000.json", "<html>"),
    ),
    (
        "truth/southsudan_000000.npz holds 0.5, no whole number",
        lambda root: np.savez(chip(root, "truth"), truth=np.full((32, 32), 0.5)),
    ),
    **COUNTS,
)
