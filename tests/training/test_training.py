"""Training: same bytes twice, same bytes after an interruption, every kind of label."""

import shutil
from collections.abc import Callable
from pathlib import Path

import lightning
import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy

from eosfm.core.errors import EosfmError
from eosfm.encoding.specialist import load_specialist
from eosfm.kinds import KINDS as ALL
from eosfm.kinds import TargetStatistics
from eosfm.nn.backbone import build_backbone
from eosfm.params import Params
from eosfm.tiles.store import TileStore
from eosfm.training.callbacks import Record
from eosfm.training.module import SpecialistModule
from eosfm.training.pictures import draw_predictions
from eosfm.training.train import build_module, recipe_for, train_specialist

from .conftest import KINDS

MakeStore = Callable[..., TileStore]
MakeParams = Callable[..., Params]


class Log(list):
    def __call__(self, metrics: dict[str, float], step: int) -> None:
        self.append((step, metrics))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"segmentation"}))
def test_every_kind_of_label_trains(
    kind: str, make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    log = Log()
    metrics = train_specialist(
        make_params(kind, epochs=1),
        "toy",
        make_store(kind),
        tmp_path / "toy.pt",
        tmp_path / "s",
        log,
    )
    headline = ALL[kind].headline
    assert metrics["metric"] == headline and metrics["epoch"] == 1
    assert log == [(1, {"loss": metrics["loss"], headline: metrics[headline]})]
    occurring = {name for name, score in metrics["per_class"].items() if score is not None}
    assert occurring == set({"regression": ()}.get(kind, KINDS[kind])) - {"never"}
    read = load_specialist(tmp_path / "toy.pt")
    assert read.facts == {"metrics": metrics, "task": kind, "dataset": f"toy_{kind}"}
    assert not list(tmp_path.glob("s/*"))


def test_the_file_feeds_the_encoder(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    params, store = make_params("segmentation", epochs=1), make_store("segmentation")
    train_specialist(params, "toy", store, tmp_path / "toy.pt", tmp_path / "s", Log())
    read = load_specialist(tmp_path / "toy.pt")
    assert read.bands == ("B04", "B03") and read.units == ("reflectance_1e4",) * 2
    assert read.mean == (store.mean["B04"], store.mean["B03"])
    assert read.std == (store.std["B04"], store.std["B03"])
    model = build_backbone(read.backbone, 2, pretrained=False)
    model.load_state_dict(read.state_dict, strict=True)


@pytest.mark.parametrize(
    ("kind", "workers"), [("segmentation", 0), ("segmentation", 1), ("detection", 0)]
)
def test_two_trainings_and_a_resumed_one_give_the_same_bytes(
    kind: str,
    workers: int,
    make_store: MakeStore,
    make_params: MakeParams,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eosfm.training.callbacks.SAVE_EVERY", 0.0)
    params = make_params(kind, epochs=3, workers=workers)
    store = make_store(kind)
    logs = [Log(), Log(), Log()]
    for number in (0, 1):
        train_specialist(
            params, "toy", store, tmp_path / f"{number}.pt", tmp_path / f"s{number}", logs[number]
        )
        torch.rand(7)  # the state that one training leaves must not reach the next
    first = (tmp_path / "0.pt").read_bytes()
    assert first == (tmp_path / "1.pt").read_bytes()

    class Killed(Exception):
        pass

    def die(self: Record, trainer: object, pl_module: object, outputs: object, *_: object) -> None:
        self._losses.append(outputs["loss"].detach())  # type: ignore[index]
        if len(self.epochs) == 2:
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(Record, "on_train_batch_end", die)
        train_specialist(params, "toy", store, tmp_path / "2.pt", tmp_path / "s2", Log())
    assert not (tmp_path / "2.pt").exists()
    (checkpoint,) = (tmp_path / "s2").rglob("*.ckpt")
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1

    train_specialist(params, "toy", store, tmp_path / "2.pt", tmp_path / "s2", logs[2])
    assert (tmp_path / "2.pt").read_bytes() == first
    assert [step for step, _ in logs[2]] == [1, 2, 3] and logs[0] == logs[1] == logs[2]
    assert not list((tmp_path / "s2").iterdir())


def test_epochs_of_a_moment_are_not_saved(
    make_store: MakeStore,
    make_params: MakeParams,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saved = []

    def look(self: Record, trainer: object, pl_module: object) -> None:
        saved.append(len(list(tmp_path.rglob("last.ckpt"))))

    monkeypatch.setattr(Record, "on_train_epoch_start", look, raising=False)
    params, store = make_params("segmentation", epochs=3), make_store("segmentation")
    for seconds in (3600.0, 0.0):
        monkeypatch.setattr("eosfm.training.callbacks.SAVE_EVERY", seconds)
        train_specialist(params, "toy", store, tmp_path / "toy.pt", tmp_path / "s", Log())
    assert saved == [0, 0, 0, 0, 1, 1]  # none by the first run


def test_another_run_s_checkpoint_is_not_taken_up(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    store = make_store("segmentation")
    (tmp_path / "s" / "toy-0123456789abcdef").mkdir(parents=True)
    (tmp_path / "s" / "toy-0123456789abcdef" / "last.ckpt").write_bytes(b"other")
    train_specialist(
        make_params("segmentation", epochs=1),
        "toy",
        store,
        tmp_path / "toy.pt",
        tmp_path / "s",
        Log(),
    )
    assert (tmp_path / "toy.pt").exists()
    shutil.rmtree(tmp_path / "s")


def test_of_several_processes_the_first_alone_writes(
    make_store: MakeStore,
    make_params: MakeParams,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params, store = make_params("classification", epochs=1), make_store("classification")
    monkeypatch.setattr(lightning.Trainer, "is_global_zero", False)
    log, picture = Log(), tmp_path / "toy.png"
    with pytest.raises(SystemExit) as ended:
        train_specialist(params, "toy", store, tmp_path / "toy.pt", tmp_path / "s", log, picture)
    assert ended.value.code == 0 and log == []
    assert not (tmp_path / "toy.pt").exists() and not picture.exists()


def test_training_learns_what_the_pixels_show(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    params = make_params("segmentation", epochs=6)
    metrics = train_specialist(
        params, "toy", make_store("segmentation"), tmp_path / "toy.pt", tmp_path / "s", Log()
    )
    assert metrics["miou"] > metrics["trivial"] + 0.1


def test_the_best_epoch_is_kept_not_the_last() -> None:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = torch.nn.Linear(1, 1)
            self.scores: dict[str, float] = {}

    class Trainer:
        is_global_zero = True
        should_stop = False
        strategy = SingleDeviceStrategy("cpu")

    record, module = Record("miou", Log(), "toy"), Module()
    for value in (0.2, 0.6, 0.6, 0.1):
        torch.nn.init.constant_(module.encoder.weight, len(record.epochs) + 1.0)
        module.scores = {"miou": value}
        record.on_train_batch_end(None, module, {"loss": torch.tensor(1.0)})
        record.on_train_epoch_end(Trainer(), module)
    assert record.best_epoch == 2 and record.best["miou"] == 0.6
    assert record.best_encoder["weight"].item() == 2.0

    record.on_train_batch_end(None, module, {"loss": torch.tensor(float("nan"))})
    with pytest.raises(EosfmError, match="training toy diverged: loss nan in epoch 5"):
        record.on_train_epoch_end(Trainer(), module)


def test_patience_ends_a_training_and_a_killed_one_does_not_go_on(
    make_store: MakeStore,
    make_params: MakeParams,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eosfm.training.callbacks.SAVE_EVERY", 0.0)
    params = make_params("classification", epochs=6, patience=2)
    store = make_store("classification")
    scores = iter((0.5, 0.7, 0.6, 0.7, 0.9, 0.9))

    def scripted(self: SpecialistModule) -> None:
        self.scores = {"accuracy": next(scores)}

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SpecialistModule, "on_validation_epoch_end", scripted)
    run = (params, "toy", store, tmp_path / "toy.pt", tmp_path / "s")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("eosfm.training.train._trivial_score", killed)
        train_specialist(*run, Log())
    log = Log()
    metrics = train_specialist(*run, log)  # the checkpoint holds the epoch that was one too many
    assert [step for step, _ in log] == [1, 2, 3, 4]
    assert (metrics["epoch"], metrics["accuracy"]) == (2, 0.7)


def test_balanced_weights_reach_the_loss(make_store: MakeStore, make_params: MakeParams) -> None:
    store, params = make_store("segmentation"), make_params("segmentation")
    statistics = TargetStatistics((75, 25), 100)
    plain = build_module(recipe_for(params, "toy"), store, statistics)
    toy = params.specialists["toy"].model_copy(update={"class_weights": "balanced"})
    params = params.model_copy(update={"specialists": {"toy": toy}})
    weighted = build_module(recipe_for(params, "toy"), store, statistics)
    assert plain.loss.dice.class_weights is None
    expected = [(0.5 / 0.75) ** 0.5, (0.5 / 0.25) ** 0.5]
    assert weighted.loss.dice.class_weights.tolist() == pytest.approx(expected)


def test_stacked_dates_are_one_input_of_the_encoder(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    params, store = make_params("change", epochs=1), make_store("change")
    toy = params.specialists["toy"].model_copy(update={"dates": "stacked"})
    params = params.model_copy(update={"specialists": {"toy": toy}})
    train_specialist(params, "toy", store, tmp_path / "toy.pt", tmp_path / "s", Log())
    read = load_specialist(tmp_path / "toy.pt")
    assert read.in_chans == 4 and read.facts["dates"] == 2
    assert read.bands == ("B04", "B03") * 2
    assert read.mean == (store.mean["B04"], store.mean["B03"]) * 2

    module = build_module(recipe_for(params, "toy"), store, TargetStatistics((1, 1), 2)).eval()
    image = torch.randn(1, 2, 2, 32, 32)
    levels = module.encoder(image.reshape(1, 4, 32, 32))
    torch.testing.assert_close(module(image), module.head(levels, (32, 32)))


@pytest.mark.parametrize("kind", list(KINDS))
def test_predictions_are_drawn_small_and_alike(
    kind: str, make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    store = make_store(kind)
    split = store.split("train")
    statistics = ALL[kind].target_statistics(
        [split.target(i) for i in range(4)], len(store.classes), store.ignore_index
    )
    module = build_module(recipe_for(make_params(kind), "toy"), store, statistics)
    for name in ("a", "b"):
        draw_predictions(module, store, ("B04", "B03"), tmp_path / f"{name}.png")
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert 2_000 < len(data) < 100_000
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("kind", ["change", "segmentation", "classification"])
def test_batches_of_one_and_odd_sizes(
    kind: str, make_store: MakeStore, make_params: MakeParams
) -> None:
    store = make_store(kind)
    statistics = ALL[kind].target_statistics([store.split("train").target(0)], 2, 255)
    module = build_module(recipe_for(make_params(kind), "toy"), store, statistics).train()
    logits = module(torch.randn(1, store.shape[0], 2, 45, 37))
    assert logits.shape == ((1, 2) if kind == "classification" else (1, 2, 45, 37))
    logits.sum().backward()


def test_the_scale_limits_a_specialist_s_settings(make_params: MakeParams) -> None:
    recipe = recipe_for(make_params("segmentation", epochs=3), "toy")
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (3, 4, 2e-3)
    assert not recipe.pretrained
    assert recipe_for(make_params("segmentation", epochs=30), "toy").epochs == 10
    assert recipe_for(make_params("segmentation", pretrained=True), "toy").pretrained


def test_missing_validation_tiles_are_one_line(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    store = make_store("segmentation", {"train": 4})
    with pytest.raises(EosfmError, match="has no validation tiles"):
        train_specialist(
            make_params("segmentation"), "toy", store, tmp_path / "toy.pt", tmp_path / "s", Log()
        )


def test_one_validation_tile_is_enough(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    store = make_store("segmentation", {"train": 2, "val": 1})
    params = make_params("segmentation", epochs=1)
    metrics = train_specialist(params, "toy", store, tmp_path / "toy.pt", tmp_path / "s", Log())
    assert 0 <= metrics["miou"] <= 1


def test_a_loss_that_does_not_fit_the_labels_is_refused(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    params = make_params("segmentation")
    toy = params.specialists["toy"].model_copy(update={"loss": "mse"})
    params = params.model_copy(update={"specialists": {"toy": toy}})
    with pytest.raises(EosfmError, match="'mse' does not fit segmentation"):
        train_specialist(
            params, "toy", make_store("segmentation"), tmp_path / "t.pt", tmp_path / "s", Log()
        )
