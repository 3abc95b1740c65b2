"""A task is settled once: dates, labels, windows, and a refusal of what does not fit."""

import dataclasses

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.features.reading import read_split
from eosfm.features.source import Request
from eosfm.features.task import Task, TaskInput


def test_a_task_knows_its_labels_and_input(resolve, stores):
    task = resolve("change")
    assert (task.kind.name, task.classes) == ("change", ("dark", "bright"))
    assert task.bands == ("red", "green", "blue") and task.units == ("dn8",) * 3
    assert task.dates == (0, 1)
    assert task.windows.count == 1 and task.windows.size == (32, 32)
    assert len(task.indices("train")) == 16 and len(task.indices("test")) == 12


def test_what_features_depend_on_is_the_same_with_and_without_a_head(params, stores, resolve):
    alone = TaskInput.resolve(params, "series", stores["series"])
    task = resolve("series")
    for field in dataclasses.fields(TaskInput):
        assert getattr(alone, field.name) == getattr(task, field.name)


@pytest.mark.parametrize(
    ("values", "dates"),
    [({"series": {"max_dates": 1}}, (1,)), ({"series": {"max_dates": 2}}, (0, 2)), ({}, (0, 1, 2)),
     ({"protocol": {"max_dates": 1}, "series": {"max_dates": 2}}, (1,))],
)  # fmt: skip
def test_dates_are_sampled_up_to_the_limits_of_task_and_scale(edited, stores, values, dates):
    assert TaskInput.resolve(edited(**values), "series", stores["series"]).dates == dates


def test_a_change_needs_both_dates(resolve):
    assert resolve("change", protocol={"max_dates": 1}).dates == (0, 1)


def test_the_tasks_share_of_labels_beats_the_scales(resolve):
    assert len(resolve("segmentation", segmentation={"label_fraction": 0.25}).indices("train")) == 8
    assert len(resolve("segmentation", protocol={"label_fraction": 1.0}).indices("train")) == 32


def test_seeds_are_the_tasks_own(resolve):
    first, second = resolve("change").fit_seeds(2)
    assert [first] == resolve("change").fit_seeds(1) and first != second
    assert first not in resolve("series").fit_seeds(2)


def test_a_linear_head_changes_nothing_else(resolve):
    task = resolve("segmentation")
    short = task.with_linear_head(epochs=1)
    assert (short.head, short.protocol.epochs) == ("linear", 1)
    assert task.with_linear_head().protocol == task.protocol
    assert dataclasses.replace(short, head=task.head, protocol=task.protocol) == task


@pytest.mark.parametrize(
    ("name", "values", "advice"),
    [("segmentation", {"head": "knn"}, "fit segmentation; set it to 'upernet' or 'linear'"),
     ("classification", {"head": "upernet"}, "set it to 'linear', 'ridge' or 'knn'"),
     ("classification", {"metric": "miou"}, "'miou', which does not fit classification; set it"),
     ("regression", {"metric": "f1"}, "set it to 'r2'"),
     ("segmentation", {"aggregation": "ltae"}, "segmentation on 1 date; set it to null"),
     ("series", {"aggregation": "difference"}, "3 dates; set it to 'mean', 'linear' or 'ltae'"),
     ("series", {"aggregation": None}, "null, .* on 3 dates; set it to 'mean', "),
     ("change", {"aggregation": "mean"}, "set it to 'concat' or 'difference'"),
     ("regression", {"loss": "ce"}, "fit regression; set it to 'mse'"),
     ("classification", {"loss": "dice"}, "fit classification; set it to 'ce'")],
)  # fmt: skip
def test_settings_that_do_not_fit_are_refused_in_one_line(edited, stores, name, values, advice):
    params = edited(**{name: values})
    (key,) = values
    with pytest.raises(EosfmError, match=rf"^tasks\.{name}\.{key} is .*{advice}") as error:
        Task.resolve(params, name, stores[name])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("head", ["knn", "ridge"])
def test_what_a_head_in_closed_form_cannot_train(resolve, head):
    with pytest.raises(EosfmError, match=f"does not fit head {head}, classification on"):
        resolve("classification", classification={"head": head, "aggregation": "ltae"})
    again = {"options": {"classification": {"repeat": {"bright": 2}}}}
    with pytest.raises(EosfmError, match=f"repeat needs epochs, which head {head} has not; take"):
        resolve("classification", classification={"head": head}, **again)
    changes = {"classification": {"head": head}, "protocol": {"fine_tune": True}}
    assert resolve("classification", **changes, **again).head == "linear"


def test_the_kinds_own_loss_is_taken_unless_another_is_named(resolve):
    assert resolve("regression").loss == "mse" and resolve("segmentation").loss == "ce"
    assert resolve("segmentation", segmentation={"loss": "dice"}).loss == "dice"


def test_what_the_protocol_has_otherwise_for_a_task(resolve):
    own = {"bands": "blue green red", "loss": "dice", "repeat": {"bright": 3, "dark": 2}}
    task = resolve("segmentation", options={"segmentation": own})
    assert (task.bands, task.loss) == (("blue", "green", "red"), "dice")
    assert task.repeat == {1: 3, 0: 2}
    other = resolve("change", options={"segmentation": own})
    assert (other.bands, other.loss, other.repeat) == (("red", "green", "blue"), "ce", {})


def test_bands_are_scaled_by_the_training_tiles_or_as_the_protocol_says(resolve, stores):
    task, store = resolve("series"), stores["series"]
    assert task.statistics[0] == tuple(store.mean[band] for band in task.bands)
    scaling = {"mean": [0, 10, 20], "std": 200}
    task = resolve("series", options={"series": {"scaling": scaling}})
    assert task.statistics == ((0, 10, 20), (200, 200, 200))
    tiles = np.arange(2)
    images, _ = next(read_split(task, "val").stream([Request(tiles)]))
    native = torch.tensor(np.stack([store.split("val").image(i) for i in tiles])).float()
    offset = torch.tensor([0.0, 10, 20]).view(3, 1, 1)
    torch.testing.assert_close(images.cpu(), (native - offset) / 200)


def test_what_is_missing_is_its_bands_mean_however_bands_are_scaled(resolve, stores):
    store = stores["series"]
    task = resolve("series", options={"series": {"scaling": {"mean": [0, 10, 20], "std": 200}}})
    reading = read_split(task, "val")
    native = reading.read(Request(np.arange(1)))
    native.missing[:] = True
    mean = torch.tensor([store.mean[band] for band in task.bands]).view(3, 1, 1)
    expected = (mean - torch.tensor([0.0, 10, 20]).view(3, 1, 1)) / 200
    images = reading._finished(native)
    torch.testing.assert_close(images, expected.expand_as(images))


def test_bands_of_another_name_have_units_too(resolve):
    task = dataclasses.replace(resolve("segmentation"), bands=("B02", "red"))
    assert len(task.units) == len(task.fill) == 2 == len(task.statistics[0])


@pytest.mark.parametrize(
    ("name", "own", "line"),
    [("segmentation", {"repeat": {"brihgt": 2}}, "repeat has 'brihgt', no class .*'bright'"),
     ("regression", {"repeat": {"height": 2}}, "repeat goes by classes .* regression lacks"),
     ("series", {"scaling": {"mean": [0, 1], "std": 1}}, "scaling.mean has 2 values for 3 bands"),
     ("series", {"scaling": {"mean": 0, "std": [1, 0, 1]}}, "scaling.std has a 0")],
)  # fmt: skip
def test_what_a_protocol_cannot_have_is_refused(edited, stores, name, own, line):
    params = edited(options={name: own})
    with pytest.raises(EosfmError, match=rf"^scales\.mini\.tasks\.{name}\.{line}"):
        TaskInput.resolve(params, name, stores[name])


def test_a_scaling_needs_the_datasets_standardisation(edited, stores):
    own = {"series": {"scaling": {"mean": 0, "std": 255}}}
    params = edited(options=own, encoding={"standardize": "specialist"}, fusion={"spectral": False})
    with pytest.raises(EosfmError, match="physical units; take it out, or set encoding"):
        TaskInput.resolve(params, "series", stores["series"])
