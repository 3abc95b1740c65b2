"""Objects of a scene: found once, in its own coordinates, whatever windows it is seen through."""

import json
from itertools import pairwise
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import build_encoder
from eosfm.evaluation.fitted import FittedTask, file_hash, write_fitted
from eosfm.fusion.fuser import Fuser
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.model import EosFM
from eosfm.prediction.cut import Cut
from eosfm.prediction.objects import BORDER, _middle, _once, _sweep
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions
from eosfm.prediction.windows import Sweep
from tests.fixtures.scenes import PLACE
from tests.prediction.test_resume import stopped_at_row

SIZE, CLASSES = 64, ("bright", "dark")
CUT = Cut(window=SIZE, overlap=32, device="cpu")


def draw(size, places, seed=0):
    """A grey image (3, *size) with squares at (y, x, side, class), and their boxes and labels."""
    image = np.random.default_rng(seed).normal(120, 5, (3, *size))
    for y, x, side, label in places:
        image[:, y : y + side, x : x + side] += 80 if label == 0 else -80
    boxes = [[x, y, x + side, y + side] for y, x, side, _ in places]
    labels = [label for *_, label in places]
    return image.clip(1, 255).astype(np.uint8), boxes, labels


def random_places(rng):
    count, found = rng.integers(1, 4), []
    for _ in range(count):
        side = int(rng.integers(10, 18))
        y, x = rng.integers(0, SIZE - side, 2).tolist()
        if all(max(abs(y - b), abs(x - a)) > 20 for b, a, *_ in found):
            found.append((y, x, side, int(rng.integers(2))))
    return found


@pytest.fixture(scope="session")
def detector_file(artifact, tmp_path_factory):
    """A task of kind detection, fitted on squares in half a minute, as evaluate would keep it."""
    torch.manual_seed(0)
    rng, kind = np.random.default_rng(0), get_kind("detection")
    units, mean, std = ("dn8",) * 3, (120.0,) * 3, (30.0,) * 3
    bands = ("red", "green", "blue")
    encoder = build_encoder(load_artifact(artifact), bands, units=units)
    backbone = EosFM(encoder, Fuser(encoder.inputs))
    head = kind.build_head("fcos", backbone.out_channels, 2, 32, TargetStatistics((), 0))
    loss = kind.build_loss("fcos", 255)
    weights = [*backbone.fuser.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=3e-3)
    scenes = [draw((SIZE, SIZE), random_places(rng), seed) for seed in range(48)]
    images = torch.stack([torch.from_numpy((i - 120.0) / 30).float() for i, *_ in scenes])
    targets = [{"boxes": torch.tensor(b).float(), "labels": torch.tensor(n)} for _, b, n in scenes]
    with torch.no_grad():
        pyramids = backbone.encode(images)
    for step in range(150):
        some = torch.arange(8) + 8 * (step % 6)
        maps = backbone.fuse([[level[some] for level in pyramid] for pyramid in pyramids])
        value = loss(head(maps, (SIZE, SIZE)), [targets[i] for i in some])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    fitted = FittedTask(
        task="squares", dataset="squares", source="archive", kind="detection", classes=CLASSES,
        ignore_index=255,
        target_unit=None, bands=bands, units=units, mean=mean, std=std, fill=mean,
        nodata=None,
        adaptation="named", standardize="dataset", gsd=10.0, tile=(SIZE, SIZE),
        window=(SIZE, SIZE), dates=1,
        aggregation=None, head="fcos", width=32, metric="map50", val={"map50": 1.0},
        test={"map50": 1.0}, specialists=("colour", "pair"), artifact=file_hash(artifact),
        fuser=backbone.fuser.settings(), pixel_share=0.0,
        weights={"fuser": dict(backbone.fuser.state_dict()), "head": dict(head.state_dict()),
                 "merge": {}},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("detection") / "squares.pt"
    write_fitted(path, fitted)
    return path


@pytest.fixture
def run(detector_file, artifact, tmp_path):
    def call(scene, out="objects.gpkg", cut=CUT, **more):
        path = tmp_path / out
        line = predict(detector_file, artifact, [scene], path, ReadOptions(), cut, **more)
        assert not list(tmp_path.glob(".*"))
        return path, line

    return call


# On the seams of windows that start at 0, 32, 64 and so on, and within them.
PLACES = [(10, 12, 14, 0), (25, 90, 16, 1), (58, 40, 14, 0), (70, 120, 12, 1), (100, 58, 16, 1)]


def test_each_object_is_found_once_where_it_is(run, write_scene):
    # Whole cells: beside a padded edge the detector finds more, depending on how sums are rounded.
    image, boxes, labels = draw((128, 160), PLACES)
    path, line = run(write_scene(image), min_score=0.6)
    table = geopandas.read_file(path)
    assert len(table) == len(PLACES), table
    assert table.crs == PLACE["crs"]
    assert table["score"].is_monotonic_decreasing and table["score"].between(0.5, 1).all()
    assert "2 bright" in line and "3 dark" in line
    found = table[["col_min", "row_min", "col_max", "row_max"]].to_numpy()
    for box, label in zip(boxes, labels, strict=True):
        nearest = np.abs(found - box).sum(axis=1).argmin()
        assert np.abs(found[nearest] - box).max() < 4
        assert table["class"][nearest] == CLASSES[label]
        x_min, y_min, x_max, y_max = table.geometry[nearest].bounds
        col_min, row_min, col_max, row_max = found[nearest]
        assert x_min == pytest.approx(400_000 + 10 * col_min)
        assert y_max == pytest.approx(5_000_000 - 10 * row_min)
        assert (x_max - x_min, y_max - y_min) == pytest.approx(
            (10 * (col_max - col_min), 10 * (row_max - row_min))
        )


@pytest.mark.parametrize(
    ("cut", "window", "overlap"),
    [(Cut(), (96, 128), 32), (Cut(256), (96, 256), 64), (Cut(256, 0), (96, 256), 0)],
)
def test_windows_overlap_by_a_quarter_and_consist_of_whole_cells(cut, window, overlap):
    grid, fitted = SimpleNamespace(size=(70, 2000)), SimpleNamespace(window=(60, 100))
    job = SimpleNamespace(cut=cut, fitted=fitted, given=SimpleNamespace(grid=grid))
    sweep = _sweep(job)
    assert (sweep.scene, sweep.window, sweep.overlap) == (grid.size, window, overlap)


def test_formats_hold_the_same(run, write_scene):
    scene = write_scene(draw((128, 150), PLACES)[0])
    gpkg, parquet, geojson = (
        run(scene, f"x{suffix}")[0] for suffix in (".gpkg", ".parquet", ".geojson")
    )
    one, two = geopandas.read_file(gpkg), geopandas.read_parquet(parquet)
    assert one["class"].tolist() == two["class"].tolist()
    assert one.geometry.geom_equals_exact(two.geometry, 1e-6).all()
    coordinates = json.loads(geojson.read_text())["features"][0]["geometry"]["coordinates"]
    assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in coordinates[0])


def test_what_was_not_measured_has_no_object(run, write_scene):
    image, *_ = draw((128, 150), PLACES)
    image[:, :64] = 0
    path, _ = run(write_scene(image, nodata=0))
    assert (geopandas.read_file(path)["row_max"] > 64).all()


def test_no_object_is_an_empty_layer(run, write_scene):
    for out in ("x.gpkg", "x.geojson", "x.parquet"):
        path, line = run(write_scene(draw((70, 50), [])[0]), out, min_score=0.99)
        assert "none of a score above 0.99" in line
        read = geopandas.read_parquet if out.endswith("parquet") else geopandas.read_file
        assert len(read(path)) == 0


def test_it_goes_on_where_it_was(run, write_scene, monkeypatch, tmp_path):
    scene = write_scene(draw((160, 150), PLACES)[0])
    expected = run(scene, "whole.parquet")[0].read_bytes()
    with stopped_at_row(2, monkeypatch):
        run(scene, "x.parquet")
    assert len(list(tmp_path.glob(".*.rows/*.npz"))) == 2
    assert run(scene, "x.parquet")[0].read_bytes() == expected


def test_options_of_other_kinds_are_refused(run, write_scene):
    scene = write_scene(draw((64, 64), [])[0])
    with pytest.raises(EosfmError, match="makes no map; leave --probabilities out"):
        run(scene, probabilities=True)
    with pytest.raises(EosfmError, match=r"expected a \.gpkg or \.geojson or \.parquet"):
        run(scene, "x.tif")


def test_each_place_belongs_to_one_window_and_borders_to_two():
    sweep = Sweep.blended((300, 300), 96, 32)
    edges = [_middle(sweep.cols, 96, index) for index in range(len(sweep.cols))]
    assert edges[0][0] == -np.inf and edges[-1][1] == np.inf
    assert all(one[1] == other[0] + 2 * BORDER for one, other in pairwise(edges))
    inside = [(c, c + 96) for c in sweep.cols]
    assert all(a <= lo and hi <= b for (a, b), (lo, hi) in zip(inside[1:-1], edges[1:-1],
               strict=True))  # fmt: skip


def test_the_best_of_what_two_windows_found_is_kept():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [1, 0, 11, 10], [40, 0, 50, 10]], np.float32)
    found = _once({"boxes": boxes, "labels": np.array([0, 0, 1, 0]),
                   "scores": np.array([0.5, 0.9, 0.4, 0.6], np.float32)})  # fmt: skip
    assert found["scores"].tolist() == pytest.approx([0.9, 0.6, 0.4])
    assert found["labels"].tolist() == [0, 0, 1]
