"""The file of a task's best fit: what it holds, how it is read back, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.evaluation.evaluate import evaluate_task
from eosfm.evaluation.fitted import BestFit, read_fitted
from eosfm.features.encode import open_features
from eosfm.features.reading import image_split, read_split
from eosfm.features.source import Request
from eosfm.prediction.model import load_model
from tests.fixtures.tasks import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_the_best_fit_on_validation_data_is_kept(fitted_file, stores, name):
    path, result = fitted_file(name)
    fitted, metric = read_fitted(path), result.metric
    pick = min if metric == "rmse" else max
    best = pick(result.fits, key=lambda fit: fit.val[metric])
    assert fitted.val[metric] == best.val[metric] and fitted.test[metric] == best.test[metric]
    assert (fitted.task, fitted.bands, fitted.units) == (
        name,
        ("red", "green", "blue"),
        ("dn8",) * 3,
    )
    assert fitted.mean == tuple(stores[name].mean[band] for band in fitted.bands)
    assert fitted.specialists == ("colour", "pair")


@pytest.mark.parametrize("name", TASKS)
def test_the_model_read_back_scores_as_the_fit_did(fitted_file, resolve, artifact, name):
    path, _ = fitted_file(name)
    fitted, task = read_fitted(path), resolve(name)
    model, split = load_model(fitted, artifact), image_split(read_split(task, "test"))
    metrics = task.kind.build_metrics(task.classes, task.ignore_index)
    ((images, days), targets), *_ = split.batches([Request(np.arange(len(split)))])
    with torch.inference_mode():
        metrics.update(model(images, days), targets)
    found = float(metrics.compute()[fitted.metric])
    # Evaluation reads features of half precision.
    assert found == pytest.approx(fitted.test[fitted.metric], rel=5e-3)


def test_the_same_fit_gives_the_same_bytes_and_scores_do_not_depend_on_keeping(
    fitted_file, params, resolve, features, artifact, tmp_path
):
    path, result = fitted_file("segmentation")
    best, task = BestFit(), resolve("segmentation")
    args = (task, params.fusion, features["segmentation"], artifact, lambda *_: None)
    assert evaluate_task(*args, keep=best.keep) == result == evaluate_task(*args)
    best.write(tmp_path / "again.pt", task, artifact)
    assert (tmp_path / "again.pt").read_bytes() == path.read_bytes()
    assert isinstance(torch.load(path, weights_only=True), dict)


def test_fine_tuned_encoders_are_kept(edited, stores, features, artifact, tmp_path):
    from eosfm.features.task import Task

    protocol = {"fine_tune": True, "epochs": 1, "steps_per_epoch": 2, "lr": 1e-3, "seeds": 1}
    params, best = edited(protocol=protocol), BestFit()
    task = Task.resolve(params, "segmentation", stores["segmentation"])
    evaluate_task(
        task, params.fusion, features["segmentation"], artifact, lambda *_: None, keep=best.keep
    )
    path = tmp_path / "tuned.pt"
    best.write(path, task, artifact)
    model = load_model(read_fitted(path), artifact)
    images, days = torch.randn(2, 1, 3, 32, 32), torch.zeros(2, 1)
    with torch.inference_mode():
        expected = best.model.eval()(((images, images), days), (32, 32))
        torch.testing.assert_close(model(images, days), expected)
    frozen = open_features(task, features["segmentation"], artifact).test.inputs
    assert [spec.name for spec in frozen] == [spec.name for spec in model.backbone.inputs]


def test_a_head_in_closed_form_reads_back(edited, stores, features, artifact, tmp_path):
    from eosfm.features.task import Task

    params, best = edited(multilabel={"head": "ridge"}, fusion={"max_encoders": 1}), BestFit()
    task = Task.resolve(params, "multilabel", stores["multilabel"])
    result = evaluate_task(
        task, params.fusion, features["multilabel"], artifact, lambda *_: None, keep=best.keep
    )
    best.write(tmp_path / "ridge.pt", task, artifact)
    fitted = read_fitted(tmp_path / "ridge.pt")
    assert fitted.specialists == result.selected
    frozen = open_features(task, features["multilabel"], artifact).test.only(result.selected)
    (inputs, _) = frozen.batch(np.arange(4))
    split = image_split(read_split(task, "test"))
    ((images, days), _) = split.batch(np.arange(4))
    with torch.inference_mode():
        expected = best.model(inputs, (32, 32))
        found = load_model(fitted, artifact)(images, days)
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)  # features of half precision


def test_a_head_that_is_not_trained_maps_nothing(resolve, artifact, tmp_path):
    path = tmp_path / "classification.pt"
    BestFit().write(path, replace(resolve("classification"), head="knn"), artifact)
    with pytest.raises(EosfmError, match="head knn, which is not trained"):
        read_fitted(path)


def test_a_missing_or_foreign_file_is_refused(fitted_file, tmp_path):
    path, _ = fitted_file("segmentation")
    with pytest.raises(EosfmError, match=r"has .*segmentation.*dvc repro evaluate@flood"):
        read_fitted(path.with_name("flood.pt"))
    tensors.write(tmp_path / "x.pt", {"format": 99})
    with pytest.raises(EosfmError, match="format 99; expected 5"):
        read_fitted(tmp_path / "x.pt")


def test_another_ensemble_is_refused(fitted_file, make_specialist, tmp_path):
    from eosfm.encoding.artifact import save_artifact

    path, _ = fitted_file("segmentation")
    other = tmp_path / "other.pth"
    save_artifact(other, [make_specialist("colour", ("red", "green", "blue"))])
    with pytest.raises(EosfmError, match="is not the ensemble that segmentation was fitted on"):
        load_model(read_fitted(path), other)
