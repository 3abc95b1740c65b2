"""The plan's encoder calls, images and bytes against those of stages that are run."""

import math

import pytest

from eosfm.encoding.encoder import EnsembleEncoder
from eosfm.evaluation.baselines import FIXED, run_baselines
from eosfm.evaluation.evaluate import evaluate_task, selection_path
from eosfm.features import frozen
from eosfm.features.encode import encode_task
from eosfm.planning.cost import COMPUTED, encoder_cost, reference_macs
from eosfm.planning.fits import baseline_work, evaluation_work
from eosfm.planning.hardware import OPERATION_S, find_gpu
from eosfm.planning.tasks import features_work
from eosfm.planning.training import training_work
from eosfm.planning.work import Load, Work, total
from eosfm.training.recipe import Recipe
from eosfm.training.train import build_data
from tests.fixtures.tasks import BACKBONE
from tests.planning.conftest import planned_fixture

CLOSE = 0.1
"""How far a plan may be off here; benchmarks/plan.py allows a quarter."""

SHORT = {"epochs": 2, "steps_per_epoch": 3}
PLAIN = {"protocol": SHORT}
WINDOWED = {"protocol": SHORT | {"window": 16}}
ONE_PASS = {"protocol": {"window": 16, "epochs": 1, "steps_per_epoch": None}}
REPEATED = {"options": {"segmentation": {"repeat": {"dark": 2, "bright": 3}}}}
MEAN = PLAIN | {"series": {"aggregation": "mean"}}
LATE = {"protocol": SHORT | {"late_fusion": True, "window": 16}}


@pytest.fixture
def calls(monkeypatch):
    """Images through one encoder each, one number per pass."""
    found = []
    encode = EnsembleEncoder.encode

    def encoded(self, x, indices=None):
        chosen = range(len(self.inputs)) if indices is None else indices
        found.append(len(x) * sum(not self.inputs[index].spectral for index in chosen))
        return encode(self, x, indices)

    monkeypatch.setattr(EnsembleEncoder, "encode", encoded)
    return found


def evaluate(task, fusion, folder, artifact):
    """What the stage runs."""
    path = selection_path(task, fusion, folder, artifact)
    evaluate_task(task, fusion, folder, artifact, log=lambda scores, epoch: None, path=path)


@pytest.mark.parametrize("name", ["segmentation", "classification", "change", "series"])
def test_features_that_are_stored(plan_task, resolve, artifact, calls, tmp_path, name):
    planned, task = plan_task(name, 1.0, **PLAIN), resolve(name, **PLAIN)
    encode_task(task, artifact, tmp_path / name, max_gb=1.0)
    work = features_work(planned)
    assert work.encoder_calls == sum(calls)
    size = sum(file.stat().st_size for file in (tmp_path / name).rglob("*.npy"))
    assert 1e9 * work.features_gb == pytest.approx(size, rel=CLOSE)
    calls.clear()
    evaluate(task, FIXED, tmp_path / name, artifact)
    assert evaluation_work(planned, FIXED).encoder_calls == sum(calls) == 0


@pytest.mark.parametrize(
    ("name", "changes", "limit"),
    [
        ("segmentation", WINDOWED, None),
        ("segmentation", WINDOWED, 1),
        ("segmentation", PLAIN, None),
        ("segmentation", LATE, None),
        ("segmentation", ONE_PASS, None),
        ("segmentation", ONE_PASS | REPEATED, None),
        ("classification", PLAIN, None),
        ("series", WINDOWED, None),
        ("series", MEAN, None),
    ],
)
def test_features_that_are_encoded_as_they_are_read(
    plan_task, resolve, artifact, calls, tmp_path, name, changes, limit
):
    planned, task = plan_task(name, 0.0, **changes), resolve(name, **changes)
    encode_task(task, artifact, tmp_path / name, max_gb=0.0)
    assert features_work(planned).encoder_calls == sum(calls) == 0
    fusion = FIXED.model_copy(update={"max_encoders": limit})
    evaluate(task, fusion, tmp_path / name, artifact)
    assert evaluation_work(planned, fusion).encoder_calls == pytest.approx(sum(calls), rel=CLOSE)


@pytest.mark.parametrize("selection", ["topk", "published_topk", "published_smooth"])
@pytest.mark.parametrize("changes", [PLAIN, WINDOWED])
def test_gates_look_at_all_specialists(
    plan_task, resolve, artifact, calls, tmp_path, changes, selection
):
    planned, task = plan_task("segmentation", 0.0, **changes), resolve("segmentation", **changes)
    encode_task(task, artifact, tmp_path / "features", max_gb=0.0)
    fusion = FIXED.model_copy(update={"max_encoders": 1, "selection": selection})
    evaluate(task, fusion, tmp_path / "features", artifact)
    assert evaluation_work(planned, fusion).encoder_calls == pytest.approx(sum(calls), rel=CLOSE)


@pytest.mark.parametrize("max_gb", [0.0, 1.0])
def test_scratch_files(plan_task, resolve, artifact, start, tmp_path, max_gb, monkeypatch):
    written, write = [], frozen._write

    def counted(folder, source, shapes):
        written.extend(math.prod(shape) * dtype.itemsize for shape, dtype in shapes)
        return write(folder, source, shapes)

    for module in ("features.frozen", "planning.fits"):
        monkeypatch.setattr(f"eosfm.{module}.MEMORY_GB", 0.0)
    monkeypatch.setattr(frozen, "_write", counted)
    planned, task = plan_task("segmentation", max_gb, **PLAIN), resolve("segmentation", **PLAIN)
    encode_task(task, artifact, tmp_path / "features", max_gb=max_gb)
    evaluate(task, FIXED, tmp_path / "features", artifact)
    # Targets lie beside what is prepared.
    work = evaluation_work(planned, FIXED)
    assert 1e9 * work.scratch_gb == pytest.approx(sum(written), rel=0.25)
    more = baseline_work(planned).scratch_gb
    assert more > work.scratch_gb if max_gb else more >= work.scratch_gb


@pytest.mark.parametrize("max_gb", [0.0, 1.0])
def test_baselines(plan_task, resolve, artifact, start, calls, tmp_path, max_gb, monkeypatch):
    # Of random specialists as many as may be, as the plan has it; fewer may be enough.
    monkeypatch.setattr("eosfm.evaluation.head.enough", list)
    planned = plan_task("segmentation", max_gb, **WINDOWED)
    task = resolve("segmentation", **WINDOWED)
    encode_task(task, artifact, tmp_path / "features", max_gb=max_gb)
    calls.clear()
    run_baselines(task, BACKBONE, tmp_path / "features", artifact, start, max_gb)
    assert baseline_work(planned).encoder_calls == pytest.approx(sum(calls), rel=CLOSE)


def test_training_counts_the_loaders_tiles(real, stores):
    params = real.model_copy(update={"specialists": {"toy": real.specialist("levircdplus")}})
    recipe = Recipe.resolve(params, "toy")
    data = build_data(recipe, stores["change"])
    trained = len(data.train_dataloader().sampler)
    scored = len(data.val_dataloader().dataset)
    work = training_work(params, "toy", planned_fixture("change"))
    assert work.images == work.encoder_calls == 2 * recipe.epochs * (trained + scored)  # two dates


def test_training_costs_three_forward_passes(real):
    params = real.model_copy(update={"specialists": {"toy": real.specialist("eurosat_rgb")}})
    recipe, store = Recipe.resolve(params, "toy"), planned_fixture("classification")
    learning, scoring = training_work(params, "toy", store).loads
    one = encoder_cost(recipe.backbone, 3, 32, 32).macs
    assert scoring.encoder_macs == recipe.epochs * store.tiles["val"] * one
    assert recipe.steps_per_epoch is not None
    trained = recipe.epochs * recipe.steps_per_epoch * recipe.batch_size
    assert learning.encoder_macs == COMPUTED * trained * one


def test_small_batches_wait_for_operators_and_large_ones_for_arithmetic():
    gpu, image = find_gpu("h100"), reference_macs()
    small, large = Load(image, 0, 1000), Load(gpu.images_per_second * image, 0, 1000)
    assert small.seconds(gpu, image) == pytest.approx(1000 * OPERATION_S)
    assert large.seconds(gpu, image) == pytest.approx(1.0)


def test_works_add_up_but_for_memory():
    one = Work(1, 2, 3.0, 4.0, 5.0, 6.0, 7.0, (Load(1.0),))
    both = total([one, Work(memory_gb=9.0, tiles_gb=1.0, scratch_gb=2.0)])
    assert (both.images, both.encoder_calls, both.tiles_gb) == (1, 2, 5.0)
    assert (both.memory_gb, both.scratch_gb) == (9.0, 7.0)
    assert both.loads == (Load(1.0),)
