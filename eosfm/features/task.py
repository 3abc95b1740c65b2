"""A downstream task with all of its settings, resolved from the parameters and checked once.

The stages call ``resolve``; the code that they run does not read the parameters again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

import numpy as np

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.seeds import derive_seed
from eosfm.core.splits import Split
from eosfm.features.dates import pick_dates
from eosfm.features.labels import labelled_subset
from eosfm.features.windows import Windows, task_windows
from eosfm.kinds import get_kind
from eosfm.kinds.kind import Kind
from eosfm.params import Aggregation, Head, Loss, Metric, Params, ScaleProtocol, Scaling
from eosfm.tiles.store import TileStore

CLOSED_FORM = ("knn", "ridge")
"""Heads that are not trained by gradient steps."""

TRAINED = ("linear", "ltae")
"""Aggregations that have weights, which a head in closed form cannot train."""


@dataclass(frozen=True)
class TaskInput:
    """What a task's frozen features depend on: its tiles, and how they are read and encoded.

    Attributes:
        name: The task.
        store: Its tiles.
        kind: Their task kind.
        classes: Class names by index.
        ignore_index: Target value that is never scored.
        bands: The input's channels, by band name.
        dates: The dates in use, by position in the store.
        windows: How tiles are cut.
        scaling: What scales each band instead of the training tiles' mean and deviation.
        label_fraction: Share of the training tiles that carry labels.
        strata: Groups of tiles that each keep that share, ``rarest`` or ``thirds``.
        repeat: By class index, how often an epoch sees a training tile that shows it.
        adaptation: How the input reaches specialists of other bands, ``named`` or ``counted``.
        standardize: Whose statistics scale the input, ``dataset`` or ``specialist``.
        seed: All of the task's random numbers follow from it.
        workers: Loader processes per split; they change no result.
    """

    name: str
    store: TileStore
    kind: Kind
    classes: tuple[str, ...]
    ignore_index: int
    bands: tuple[str, ...]
    dates: tuple[int, ...]
    windows: Windows
    scaling: Scaling | None
    label_fraction: float
    strata: str
    repeat: Mapping[int, int]
    adaptation: str
    standardize: str
    seed: int
    workers: int

    @classmethod
    def resolve(cls, params: Params, name: str, store: TileStore) -> Self:
        """Settle how a task's tiles are read: its own settings before the scale's.

        Raises:
            EosfmError: The scale's ``scaling`` or ``repeat`` does not fit the tiles.
        """
        own, protocol, kind = params.task(name), params.current.protocol, get_kind(store.kind)
        options, key = params.task_options(name), f"scales.{params.scale}.tasks.{name}"
        if options.scaling is not None:
            _check_scaling(f"{key}.scaling", options.scaling, own.bands, params)
        dates, *_, height, width = store.shape
        limits = [limit for limit in (own.max_dates, protocol.max_dates) if limit is not None]
        return cls(
            name=name,
            store=store,
            kind=kind,
            classes=store.classes,
            ignore_index=store.ignore_index,
            bands=own.bands,
            # What differs between two dates needs both.
            dates=pick_dates(dates, None if kind.bitemporal else min(limits, default=None)),
            windows=task_windows(kind, (height, width), protocol.window),
            scaling=options.scaling,
            label_fraction=own.label_fraction or protocol.label_fraction,
            strata=protocol.strata,
            repeat=_by_index(f"{key}.repeat", options.repeat, kind, store.classes),
            adaptation=params.encoding.adaptation,
            standardize=params.encoding.standardize,
            seed=params.seed,
            workers=protocol.workers,
        )

    def indices(self, split: Split) -> np.ndarray:
        """Indices of the tiles in use: the labelled share of train, all of val and test.

        The share is the same in every fit, since features are stored for it alone.
        """
        if split != "train":
            return np.arange(len(self.store.split(split)))
        seed = derive_seed(self.seed, "labels", self.name)
        return labelled_subset(self.store, split, self.label_fraction, seed, self.strata)

    @property
    def pools(self) -> bool:
        """Whether its features are stored as averages (see :mod:`eosfm.features.pooling`)."""
        return self.kind.answer == "image"

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """What is subtracted from each of ``bands``, and what it is then divided by."""
        if self.scaling is not None:
            count = len(self.bands)
            return _each(self.scaling.mean, count), _each(self.scaling.std, count)
        names, store = [self.store.usable(name) for name in self.bands], self.store
        return tuple(store.mean[name] for name in names), tuple(store.std[name] for name in names)

    @property
    def fill(self) -> tuple[float, ...]:
        """Value of each of ``bands`` where it was not measured: its mean over training tiles."""
        return tuple(self.store.mean[self.store.usable(name)] for name in self.bands)

    @property
    def units(self) -> tuple[str, ...]:
        """The physical unit of each of ``bands``."""
        units = dict(zip(self.store.bands, self.store.units, strict=True))
        return tuple(units[self.store.usable(name)] for name in self.bands)


@dataclass(frozen=True)
class Task(TaskInput):
    """A task with what is trained on its features.

    Attributes:
        head: ``upernet``, ``linear``, ``ridge`` or ``knn``.
        metric: The headline, which decides which epoch is best.
        aggregation: How the features of several dates become one; None where there is one date.
        loss: What is minimised.
        protocol: Epochs, batch size, learning rate, width of the decoder.
        devices: Processes that share each batch.
    """

    head: Head
    metric: Metric
    aggregation: Aggregation | None
    loss: Loss
    protocol: ScaleProtocol
    devices: int

    @classmethod
    def resolve(cls, params: Params, name: str, store: TileStore) -> Self:
        """Settle a task; check that head, metric, loss and aggregation fit its labels and dates.

        Raises:
            EosfmError: One does not; the line says which would.
        """
        own, protocol = params.task(name), params.current.protocol
        given = TaskInput.resolve(params, name, store)
        task = cls(
            **vars(given),
            # Fine-tuning trains by gradient steps, which heads in closed form do not take.
            head="linear" if own.head in CLOSED_FORM and protocol.fine_tune else own.head,
            metric=own.metric,
            aggregation=own.aggregation,
            loss=own.loss or cast(Loss, given.kind.losses[0]),
            protocol=protocol,
            devices=own.devices,
        )
        kind, dates = task.kind, len(task.dates)
        refuse_objects(name, own.dataset, kind)
        if task.repeat:
            refuse_repeats(name, params.scale, task.head)
        on = f"{kind.name} on {dates} date{'s' * (dates > 1)}"
        _check(f"tasks.{name}.head", task.head, kind.heads, kind.name)
        _check(f"tasks.{name}.metric", task.metric, kind.metrics, kind.name)
        _check(f"tasks.{name}.loss", task.loss, kind.losses, kind.name)
        aggregations = kind.aggregations(dates)
        if task.head in CLOSED_FORM:
            aggregations = tuple(a for a in aggregations if a not in TRAINED)
            on = f"head {task.head}, {on}"
        _check(f"tasks.{name}.aggregation", task.aggregation, aggregations, on)
        return task

    def fit_seeds(self, count: int) -> list[int]:
        """Seeds of the first fits, which the ensemble and its baselines share."""
        return [derive_seed(self.seed, "evaluate", self.name, number) for number in range(count)]

    def with_linear_head(self, epochs: int | None = None) -> Self:
        """The same with a linear head, which costs a fraction, and tells what the features hold.

        Args:
            epochs: Length of the training, or None for the protocol's.
        """
        changes = {} if epochs is None else {"epochs": epochs}
        return replace(self, head="linear", protocol=self.protocol.model_copy(update=changes))


def refuse_objects(name: str, dataset: str, kind: Kind) -> None:
    """Refuse a task on a detection dataset.

    Raises:
        EosfmError: Its labels are objects, which no task is scored on.
    """
    if kind.answer == "object":
        raise EosfmError(
            f"tasks.{name}: dataset {dataset} has objects, which are for specialists; no task is "
            "scored on them; take the entry out"
        )


def refuse_repeats(name: str, scale: str, head: str) -> None:
    """Refuse to repeat tiles for a head that sees each once.

    Raises:
        EosfmError: It is such a head.
    """
    if head in CLOSED_FORM:
        raise EosfmError(
            f"scales.{scale}.tasks.{name}.repeat needs epochs, which head {head} has not; take it "
            f"out, or set tasks.{name}.head=linear"
        )


def _check(key: str, value: str | None, valid: tuple[str | None, ...], what: str) -> None:
    if value not in valid:
        *others, last = ("null" if choice is None else repr(choice) for choice in valid)
        choices = f"{', '.join(others)} or {last}" if others else last
        found = "null" if value is None else repr(value)
        raise EosfmError(f"{key} is {found}, which does not fit {what}; set it to {choices}")


def _check_scaling(key: str, scaling: Scaling, bands: tuple[str, ...], params: Params) -> None:
    if params.encoding.standardize == "specialist":
        raise EosfmError(
            f"{key} scales the bands, and encoding.standardize=specialist leaves them in physical "
            "units; take it out, or set encoding.standardize=dataset"
        )
    for what, values in (("mean", scaling.mean), ("std", scaling.std)):
        count = len(values) if isinstance(values, tuple) else len(bands)
        if count != len(bands):
            raise EosfmError(
                f"{key}.{what} has {count} values for {len(bands)} bands; give one each"
            )
        if what == "std" and 0 in _each(values, count):
            raise EosfmError(f"{key}.std has a 0, and nothing can be divided by it; change it")


def _each(values: float | tuple[float, ...], count: int) -> tuple[float, ...]:
    return values if isinstance(values, tuple) else (values,) * count


def _by_index(
    key: str, repeat: Mapping[str, int], kind: Kind, classes: tuple[str, ...]
) -> dict[int, int]:
    if repeat and "ce" not in kind.losses:
        raise EosfmError(
            f"{key} goes by classes that exclude each other, which {kind.name} lacks; take it out"
        )
    for name in repeat:
        if name not in classes:
            raise EosfmError(f"{key} has {name!r}, no class of it; {suggest(name, classes)}")
    return {classes.index(name): times for name, times in repeat.items()}
