"""A task from stored features to scores: seeds, heads, dates, fusion options."""

import statistics
from collections.abc import Callable

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.evaluation import evaluate as module
from eosfm.evaluation.checkpoint import Checkpoints
from eosfm.evaluation.evaluate import evaluate_task
from eosfm.evaluation.result import TaskResult
from eosfm.features.task import Task
from eosfm.kinds.scores import better
from tests.fixtures.tasks import TASKS

Run = Callable[..., tuple[TaskResult, list]]


@pytest.fixture(scope="module")
def run(edited, stores, features, artifact) -> Run:
    """``run(task, fusion={...}, protocol={...}, ...)``: the result and the log of its epochs."""

    def evaluate(name, **changes):
        params, log = edited(**changes), []
        result = evaluate_task(
            Task.resolve(params, name, stores[name]), params.fusion, features[name], artifact,
            lambda metrics, epoch: log.append((epoch, metrics)),
        )  # fmt: skip
        return result, log

    return evaluate


@pytest.fixture(scope="module")
def results(run):
    return {name: run(name) for name in TASKS}


@pytest.mark.parametrize(
    ("name", "better_than"),
    [("segmentation", 0.8), ("classification", 0.9), ("multilabel", 0.9), ("change", 0.8),
     ("series", 0.8)],
)  # fmt: skip
def test_a_separable_task_is_learnt(results, name, better_than):
    result, log = results[name]
    assert result.test[result.metric] > better_than
    assert result.labels == 16
    assert [epoch for epoch, _ in log] == [1, 2, 3]


def test_regression_beats_the_mean(results):
    assert results["regression"][0].test["r2"] > 0.5


def test_the_best_validation_epoch_is_the_one_reported(results):
    for name, (result, log) in results.items():
        metric, first = result.metric, result.fits[0]
        values = [metrics[f"val_{metric}"] for _, metrics in log]
        best = min(values) if metric == "rmse" else max(values)
        assert first.val[metric] == best or better(metric, first.val[metric], best), name
        assert bool(first.pixel_share) == (first.val[metric] != best), name  # late fusion helped
        assert first.best_epoch == 1 + values.index(best)


def test_a_selection_path_is_found_once_for_all_settings_that_do_not_change_it(
    edited, stores, features, artifact, tmp_path, monkeypatch, capsys
):
    found, select = [], module.select_forward
    monkeypatch.setattr(module, "select_forward", lambda *a: found.append(a) or select(*a))
    memory = Checkpoints(tmp_path / "paths", "evaluate.py", (artifact,))

    def path(memory=memory, **changes):
        params = edited(**changes)
        task = Task.resolve(params, "segmentation", stores["segmentation"])
        folder = features["segmentation"]
        return module.selection_path(task, params.fusion, folder, artifact, memory)

    first = path()
    assert path(fusion={"max_encoders": 1, "method": "mlp"}) == first and len(found) == 1
    assert path(memory=None) == first and len(found) == 2
    for other in ({"spectral": False}, {"ablate": [first.specialists[0]]}):
        assert path(fusion=other) != first
    assert len(found) == 4
    (kept,) = memory.folder.iterdir()  # the last one
    assert path(fusion=other) and len(found) == 4
    kept.write_bytes(kept.read_bytes()[:50])
    assert path(fusion=other) and len(found) == 5
    assert "checkpoint dropped" in capsys.readouterr().out


def test_every_seed_is_a_fit_and_the_headline_their_mean(results):
    for name, (result, _) in results.items():
        values = [fit.test[result.metric] for fit in result.fits]
        assert len(values) == 2
        assert result.test[result.metric] == pytest.approx(statistics.fmean(values)), name
        assert result.spread[result.metric] == pytest.approx(statistics.stdev(values)), name
    assert results["regression"][0].spread["rmse"] > 0


def test_one_seed_has_no_spread_and_is_the_first_of_two(results, run):
    one, _ = run("segmentation", protocol={"seeds": 1})
    assert one.fits == results["segmentation"][0].fits[:1]
    assert set(one.spread.values()) == {0.0}


def test_scores_of_single_classes_stand_apart(results):
    result, _ = results["segmentation"]
    assert list(result.per_class) == ["dark", "bright"]
    assert result.test["miou"] == pytest.approx(statistics.fmean(result.per_class.values()))
    assert not any("/" in key for key in result.test)
    assert set(result.val) == set(result.test)
    assert results["regression"][0].per_class == {}


def test_a_second_run_gives_the_same_result(results, run):
    assert run("series")[0] == results["series"][0]


def test_a_score_can_be_averaged_whatever_the_metric(results):
    accurate, regressed = results["classification"][0], results["regression"][0]
    assert (accurate.score_metric, accurate.score) == ("accuracy", accurate.test["accuracy"])
    assert (regressed.score_metric, regressed.score) == ("r2", regressed.test["r2"])


def test_fits_side_by_side_are_those_in_turn(run):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)  # one for each of the two fits
        together = run("segmentation")[0]
        torch.set_num_threads(1)
        assert run("segmentation")[0] == together
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "fusion",
    [{"max_encoders": 1}, {"max_encoders": 1, "method": "addition", "spectral": False},
     {"max_encoders": 9}, {"max_encoders": 1, "selection": "topk"},
     {"max_encoders": 1, "selection": "smooth"}, {"max_encoders": 1, "selection": "published_topk"},
     {"max_encoders": 1, "method": "concat", "scale_features": True},
     {"normalize": "batch"}, {"method": "concat", "width_multiplier": 0.5}],
)  # fmt: skip
def test_fusion_options_reach_the_fuser(run, fusion):
    result, _ = run("classification", fusion=fusion)
    limit = fusion.get("max_encoders", 2)
    assert len(result.selected) == min(max(limit, 1), 2)
    assert result.test["accuracy"] > 0.8


@pytest.mark.parametrize("head", ["knn", "ridge"])
@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_heads_in_closed_form_need_no_training(run, name, head):
    result, log = run(name, **{name: {"head": head}})
    metric = result.metric
    assert log == [(0, {f"val_{metric}": result.val[metric]})]
    assert len(result.fits) == 1
    assert set(result.selected) <= {"colour", "pair"}
    assert result.test[result.metric] > 0.9


def test_ridge_keeps_to_the_limit(run):
    result, _ = run("multilabel", fusion={"max_encoders": 1}, multilabel={"head": "ridge"})
    assert len(result.selected) == 1


def test_ridge_does_without_bands(run):
    result, _ = run("classification", fusion={"spectral": False}, classification={"head": "ridge"})
    assert result.test["accuracy"] > 0.9


@pytest.mark.parametrize("normalize", ["layer", "batch", "none"])
def test_ridge_reads_maps_where_averages_are_not_enough(run, normalize):
    changes = {"fusion": {"normalize": normalize}, "classification": {"head": "ridge"}}
    assert run("classification", **changes)[0].test["accuracy"] > 0.9


def test_a_linear_probe_answers_pixels(run):
    result, _ = run("segmentation", segmentation={"head": "linear"})
    assert result.test["miou"] > 0.6


def test_a_specialist_can_be_left_out(run):
    assert run("classification", fusion={"ablate": ("colour",)})[0].selected == ("pair",)


@pytest.mark.parametrize(
    ("ablate", "advice"),
    [(("colour", "pair"), "leaves no specialist; keep at least one"),
     (("color",), "'color', no specialist; did you mean 'colour'")],
)  # fmt: skip
def test_ablating_everything_or_nobody_is_refused(run, ablate, advice):
    with pytest.raises(EosfmError, match=advice):
        run("classification", fusion={"ablate": ablate})


ONE_EPOCH = {"fine_tune": True, "epochs": 1, "steps_per_epoch": 2, "lr": 1e-4}


def test_fine_tuning_trains_on_images(run):
    result, _ = run("change", protocol={**ONE_EPOCH, "seeds": 1})
    assert set(result.test) == {"miou", "accuracy", "f1"}
    assert result.selected == ("colour", "pair")


@pytest.mark.parametrize("selection", ["forward", "topk"])
def test_fine_tuning_selects_first(run, selection):
    fusion = {"max_encoders": 1, "selection": selection}
    result, _ = run("segmentation", protocol={**ONE_EPOCH, "seeds": 2}, fusion=fusion)
    assert len(result.selected) == 1
