"""A whole task as an ONNX file: physical values in, what the map shows out."""

import json

import numpy as np
import pytest
import rasterio
import torch

from eosfm.commands.onnx import onnx as main
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.encoding.encoder import build_encoder
from eosfm.evaluation.fitted import FittedTask, file_hash, read_fitted, write_fitted
from eosfm.fusion.fuser import Fuser
from eosfm.heads.temporal import build_merge
from eosfm.interop.onnx import export_task
from eosfm.interop.task import PhysicalTask
from eosfm.kinds import TargetStatistics, get_kind
from eosfm.prediction.cut import Cut
from eosfm.prediction.model import load_model
from eosfm.prediction.predict import predict
from eosfm.prediction.scene import ReadOptions

pytestmark = pytest.mark.filterwarnings("ignore")
BANDS, SIZE = ("red", "green", "blue"), 64


@pytest.fixture
def make_task(mixed, tmp_path):
    """``make_task(kind, head, aggregation, dates)``: files of an untrained task and its ensemble.

    One of the two specialists that its bands can be given to is in use.
    """

    def make(kind, head, aggregation=None, dates=1):
        torch.manual_seed(0)
        artifact = tmp_path / "eosfm.pth"
        save_artifact(artifact, mixed[:2])
        encoder = build_encoder(mixed[:1], BANDS)
        fuser = Fuser(encoder.inputs)
        merge = build_merge(aggregation, fuser.out_channels, dates)
        classes = ("height",) if kind == "regression" else ("dark", "bright", "other")
        built = get_kind(kind).build_head(
            head, merge.out_channels, len(classes), 16, TargetStatistics((), 0)
        )
        fitted = FittedTask(
            task=kind, dataset="loveda", source="root", kind=kind, classes=classes,
            ignore_index=255,
            target_unit="m" if kind == "regression" else None, bands=BANDS,
            units=("dn8",) * 3, mean=(100.0, 110.0, 120.0), std=(30.0, 20.0, 25.0),
            fill=(100.0, 110.0, 120.0), nodata=None,
            adaptation="named", standardize="dataset", gsd=1.0, tile=(SIZE, SIZE),
            window=(SIZE, SIZE), dates=dates, aggregation=aggregation, head=head, width=16,
            metric="miou", val={}, test={}, specialists=("rgb",), artifact=file_hash(artifact),
            fuser=fuser.settings(), pixel_share=0.0,
            weights={"fuser": dict(fuser.state_dict()), "merge": dict(merge.state_dict()),
                     "head": dict(built.state_dict())},
        )  # fmt: skip
        path = tmp_path / f"{kind}.pt"
        write_fitted(path, fitted)
        return path, artifact

    return make


def run(path, **inputs):
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    assert [one.name for one in session.get_inputs()] == list(inputs)
    return session.run(None, inputs)[0]


def test_it_gives_what_the_map_shows(make_task, write_scene, tmp_path):
    pytest.importorskip("onnxscript")
    task, artifact = make_task("segmentation", "upernet")
    main(None, tmp_path / "task.onnx", str(task), artifact, None)
    window = np.random.default_rng(0).integers(1, 255, (3, SIZE, SIZE), np.uint8)
    cut = Cut(window=SIZE, overlap=0, device="cpu")
    predict(task, artifact, [write_scene(window)], tmp_path / "map.tif", ReadOptions(), cut, True)
    found = run(tmp_path / "task.onnx", image=window[None, None].astype(np.float32))
    with rasterio.open(tmp_path / "map.tif") as raster:
        np.testing.assert_allclose(found[0], raster.read(), atol=1e-4)
    told = pytest.importorskip("onnx").load(tmp_path / "task.onnx").metadata_props
    facts = {fact.key: fact.value for fact in told}
    assert json.loads(facts["classes"]) == ["dark", "bright", "other"]
    assert json.loads(facts["bands"]) == list(BANDS)
    assert json.loads(facts["units"]) == ["dn8"] * 3
    assert json.loads(facts["window"]) == [SIZE, SIZE]
    assert json.loads(facts["specialists"]) == ["rgb"]


@pytest.mark.parametrize(
    "settings", [("regression", "linear"), ("multilabel", "linear", "ltae", 3)]
)
def test_every_kind_of_answer(make_task, tmp_path, settings):
    pytest.importorskip("onnxscript")
    task, artifact = make_task(*settings)
    fitted = export_task(task, artifact, tmp_path / "task.onnx")
    rng = np.random.default_rng(0)
    image = rng.uniform(50, 200, (3, fitted.dates, 3, SIZE, SIZE)).astype(np.float32)
    image[0, 0, 1, 3, 4] = np.nan
    days = np.tile(np.linspace(0, 120, fitted.dates, dtype=np.float32), (3, 1))
    inputs = {"image": image} | ({"days": days} if fitted.aggregation == "ltae" else {})
    found = run(tmp_path / "task.onnx", **inputs)
    module = PhysicalTask(read_fitted(task), load_model(fitted, artifact)).eval()
    with torch.inference_mode():
        expected = module(torch.from_numpy(image), torch.from_numpy(days)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.isfinite(found).all()


def test_objects_have_no_such_file(make_task, tmp_path):
    pytest.importorskip("onnxscript")
    with pytest.raises(EosfmError, match="finds objects"):
        export_task(*make_task("detection", "fcos"), tmp_path / "task.onnx")


def test_one_of_backbone_and_task(tmp_path):
    for options in ((None, tmp_path / "x.onnx"), (tmp_path / "a", tmp_path / "x", "b")):
        with pytest.raises(EosfmError, match="one of the two"):
            main(*options)
