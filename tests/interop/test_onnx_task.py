"""A whole task as an ONNX file: physical values in, what the map shows out."""

import json

import numpy as np
import pytest
import rasterio
import torch

from eosfm.commands.onnx import onnx as main
from eosfm.core.errors import EosfmError
from eosfm.interop.onnx import export_task
from eosfm.prediction.cut import Cut
from eosfm.prediction.inputs import Reading
from eosfm.prediction.predict import predict
from tests.fixtures.tasks import SIZE
from tests.prediction.conftest import fitted_file, mosaic, write_scene  # noqa: F401

pytestmark = pytest.mark.filterwarnings("ignore")
runtime = pytest.importorskip("onnxruntime")


def run(path, **inputs):
    session = runtime.InferenceSession(path)
    assert [one.name for one in session.get_inputs()] == list(inputs)
    return session.run(None, inputs)


def expected_of(fitted_path, artifact, image, days):
    from eosfm.interop.task import PhysicalTask
    from eosfm.prediction.fitted import read_fitted
    from eosfm.prediction.model import load_model

    fitted = read_fitted(fitted_path)
    with torch.inference_mode():
        module = PhysicalTask(fitted, load_model(fitted, artifact)).eval()
        return module(torch.from_numpy(image), torch.from_numpy(days)).numpy()


def test_it_gives_what_the_map_shows(fitted_file, artifact, write_scene, mosaic, tmp_path):  # noqa: F811
    task, _ = fitted_file("segmentation")
    main(None, tmp_path / "task.onnx", str(task), artifact, None)
    window = mosaic[0][:, :SIZE, :SIZE]
    scene = write_scene(window)
    cut = Cut(window=SIZE, overlap=0, device="cpu")
    predict(task, artifact, [scene], tmp_path / "map.tif", Reading(), cut, probabilities=True)
    (found,) = run(tmp_path / "task.onnx", image=window[None, None].astype(np.float32))
    with rasterio.open(tmp_path / "map.tif") as raster:
        np.testing.assert_allclose(found[0], raster.read(), atol=1e-4)
    onnx = pytest.importorskip("onnx")
    told = onnx.load(tmp_path / "task.onnx").metadata_props
    facts = {fact.key: json.loads(fact.value) for fact in told if fact.key != "days"}
    assert facts["classes"] == ["dark", "bright"] and facts["bands"] == ["red", "green", "blue"]
    assert facts["units"] == ["dn8"] * 3 and facts["window"] == [SIZE, SIZE]
    assert facts["specialists"] == ["colour", "pair"] and facts["kind"] == "segmentation"


@pytest.mark.parametrize("name", ["multilabel", "regression", "series"])
def test_every_kind_of_answer(fitted_file, artifact, tmp_path, name):  # noqa: F811
    task, _ = fitted_file(name)
    fitted = export_task(task, artifact, tmp_path / "task.onnx")
    rng = np.random.default_rng(0)
    image = rng.uniform(50, 200, (3, fitted.dates, 3, SIZE, SIZE)).astype(np.float32)
    image[0, 0, 1, 3, 4] = np.nan
    days = np.tile(np.linspace(0, 120, fitted.dates, dtype=np.float32), (3, 1))
    inputs = {"image": image} | ({"days": days} if name == "series" else {})
    (found,) = run(tmp_path / "task.onnx", **inputs)
    expected = expected_of(task, artifact, image, days)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert np.isfinite(found).all()


def test_one_of_backbone_and_task(tmp_path):
    for options in ((None, tmp_path / "x.onnx"), (tmp_path / "a", tmp_path / "x", "b")):
        with pytest.raises(EosfmError, match="one of the two"):
            main(*options)
