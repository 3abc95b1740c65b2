import pytest

from eosfm.downstream.baselines import run_baselines
from eosfm.downstream.evaluate import evaluate_task
from eosfm.downstream.features import encode_task

from .conftest import KINDS


@pytest.fixture(scope="module")
def results(params, stores, artifact, tmp_path_factory):
    """Every kind evaluated, with the log of its epochs."""
    folder = tmp_path_factory.mktemp("features")
    results = {}
    for kind in KINDS:
        encode_task(params, kind, stores[kind], artifact, folder / kind)
        log = []
        result = evaluate_task(
            params, kind, stores[kind], folder / kind, artifact,
            lambda metrics, epoch, log=log: log.append((epoch, metrics)),
        )  # fmt: skip
        results[kind] = (result, log, folder / kind)
    return results


@pytest.mark.parametrize(
    ("kind", "better_than"),
    [("segmentation", 0.8), ("classification", 0.9), ("multilabel", 0.9)],
)
def test_a_separable_task_is_learnt(results, params, kind, better_than):
    result, log, _ = results[kind]
    assert result["test"][params.task(kind).metric] > better_than
    assert result["labels"] == 16
    assert [epoch for epoch, _ in log] == [1, 2, 3]


def test_regression_beats_the_mean(results):
    assert results["regression"][0]["test"]["r2"] > 0.5


def test_the_best_validation_epoch_is_the_one_reported(results):
    for kind, (result, log, _) in results.items():
        metric = result["metric"]
        values = [metrics[f"val_{metric}"] for _, metrics in log]
        best = min(values) if metric == "rmse" else max(values)
        assert result["val"][metric] == best, kind
        assert result["best_epoch"] == 1 + values.index(best)


def test_a_second_run_gives_the_same_result(results, params, stores, artifact):
    result, _, features = results["segmentation"]
    again = evaluate_task(
        params, "segmentation", stores["segmentation"], features, artifact, lambda m, e: None
    )
    assert again == result


def test_fusion_options_reach_the_fuser(results, params, stores, artifact):
    fusion = params.fusion.model_copy(update={"max_encoders": 1, "method": "addition"})
    one = params.model_copy(update={"fusion": fusion})
    result = evaluate_task(
        one, "classification", stores["classification"], results["classification"][2], artifact,
        lambda m, e: None,
    )  # fmt: skip
    assert len(result["selected"]) == 1


def test_baselines_answer_with_the_same_metrics(results, params, stores, artifact):
    features = results["classification"][2]
    baselines = run_baselines(
        params, "classification", stores["classification"], features, artifact
    )
    assert list(baselines) == ["random", "single", "scratch"]
    assert baselines["single"]["specialist"] in ("colour", "pair")
    for result in baselines.values():
        assert 0 <= result["test"]["accuracy"] <= 1
    assert baselines["random"]["test"]["accuracy"] > 0.6
