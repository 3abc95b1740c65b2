import numpy as np

from eosfm.core.bands import S2_BANDS
from eosfm.datasets.sen1floods11 import CHIPS, DATASET, SPLIT_FILES
from tests.datasets.damage import fill, pixels, refuses, remove, rewrite, write


def test_scenes_follow_the_split_files(simulated):
    root = simulated(DATASET, train=3, val=2, test=1)
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train"] * 3 + ["val"] * 2 + ["test"]
    assert len({scene.id for scene in scenes}) == 6
    assert len({scene.transform for scene in scenes}) == 6
    assert scenes[0].crs == "EPSG:4326"
    assert scenes[0].dates == ("2018-08-23",)


def test_bands_are_thirteen_optical_then_vv_vh(tiny, whole):
    root = tiny(DATASET)
    scene = next(iter(DATASET.scenes(root)))
    s2, s1, _ = scene.files
    rewrite(s2, lambda p: np.stack([np.full_like(p[0], 100 * i) for i in range(1, 14)]))
    rewrite(s1, lambda p: np.stack([np.full_like(p[0], -9), np.full_like(p[0], -16)]))
    image = scene.image(whole(scene))
    assert image.shape == (1, len(DATASET.bands), 64, 64)
    assert image.dtype == DATASET.dtype
    named = dict(zip(DATASET.bands, image[0, :, 0, 0], strict=True))
    assert named["B01"] == 100
    assert named["B8A"] == 900
    assert named["B12"] == 1300
    assert (named["vv"], named["vh"]) == (-9, -16)


def test_unmeasured_pixels_are_nan_by_sensor(tiny, whole):
    root = tiny(DATASET)
    scene = next(iter(DATASET.scenes(root)))
    s2, s1, _ = scene.files

    def gap_optical(pixels):
        pixels[:, :8] = 0
        pixels[3, 20] = 0  # dark in one band alone is a measurement
        return pixels

    def gap_radar(pixels):
        pixels[:, :, :8] = np.nan
        return pixels

    rewrite(s2, gap_optical)
    rewrite(s1, gap_radar)
    optical, radar = np.split(np.isnan(scene.image(whole(scene))[0]), [len(S2_BANDS)])
    assert optical[:, :8].all()
    assert not optical[:, 8:].any()
    assert radar[..., :8].all()
    assert not radar[..., 8:].any()


def test_labels(simulated, whole):
    scenes = DATASET.scenes(simulated(DATASET, train=4))
    assert set(np.unique([scene.target(whole(scene)) for scene in scenes])) == {-1, 0, 1}


def test_radar_sees_water_where_cloud_hides_it(simulated, whole):
    root = simulated(DATASET, train=4, size=128)
    unknown = 0
    for scene in DATASET.scenes(root):
        image, target = scene.image(whole(scene))[0], scene.target(whole(scene))
        vh = image[DATASET.bands.index("vh")]
        if (target == 1).mean() > 0.05 and (target == 0).mean() > 0.05:
            assert np.median(vh[target == 1]) < np.median(vh[target == 0]) - 3
        unknown += (target == -1).any()
    assert 0 < unknown < 6


def test_real_chips(samples, whole):
    root = samples / "sen1floods11"
    scenes = list(DATASET.scenes(root))
    assert [scene.split for scene in scenes] == ["train", "train", "val", "test"]
    assert {scene.dates for scene in scenes} == {("2019-09-18",)}
    for scene in scenes:
        image, target = scene.image(whole(scene))[0], scene.target(whole(scene))
        named = dict(zip(DATASET.bands, image, strict=True))
        assert image.shape == (15, 256, 256)
        assert set(np.unique(target)) <= {-1, 0, 1}
        assert np.nanmedian(named["B10"]) < 50  # cirrus is dark on a clear day
        assert np.nanmedian(named["B08"]) > np.nanmedian(named["B04"])
        assert -25 < np.nanmedian(named["vh"]) < np.nanmedian(named["vv"]) < -3
        water = target == 1
        if water.any():
            assert np.nanmedian(named["B12"][water]) < np.nanmedian(named["B12"][target == 0])


def test_the_command_makes_the_folder_that_gsutil_wants():
    """Its rsync refuses a local folder that does not exist (gsutil 5.38, rsync.py)."""
    folder, copy = DATASET.source.manual.split("`")[1].split(" && ")
    assert folder.removeprefix("mkdir -p ") == copy.split()[-1] == "<folder>/v1.1"


test_a_damaged_copy_is_refused = refuses(
    DATASET,
    ("flood_valid_data.csv not found", remove(SPLIT_FILES["val"])),
    (
        "found 'a_S1Hand.tif,b_LabelHand.tif'; expected rows",
        write(SPLIT_FILES["train"], "a_S1Hand.tif,b_LabelHand.tif\n"),
    ),
    (r"12 band\(s\)", pixels(f"{CHIPS}/S2Hand/*.tif", lambda p: p[:12])),
    ("holds the value 2; expected -1", fill(f"{CHIPS}/LabelHand/*.tif", 2)),
)
