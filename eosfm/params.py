"""``params.yaml`` as one frozen, validated object: the only reader of that file."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import SPLITS
from eosfm.core.validation import first_fault, read_yaml
from eosfm.fields import Aggregation, Bands, Frozen, Head, Loss, Metric, Name, PathText, SourceKind
from eosfm.recipes import Recipes, ScaleTrain, Scaling, SpecialistParams
from eosfm.schema import (
    Backbone,
    DatasetParams,
    Defaults,
    Encoding,
    Energy,
    Fusion,
    Scale,
    ScaleProtocol,
    Scales,
    TaskOptions,
    TaskParams,
    Trainer,
)

__all__ = [
    "Aggregation",
    "Encoding",
    "Fusion",
    "Head",
    "Loss",
    "Metric",
    "Params",
    "ScaleProtocol",
    "Scaling",
    "SpecialistParams",
    "TaskParams",
    "load_params",
]

RESERVED = {"geobench2", "lead", "mean", "p", "specialists", "wins"}
"""Rows of `dvc metrics show` beside those of the tasks, which have these names."""
SHARED = ("datasets", "specialists", "tasks")
"""The sections whose entries are completed from ``defaults``."""


class Params(Frozen):
    """All of ``params.yaml``, every entry completed from ``defaults``."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)]
    scale: Literal["mini", "full"]
    archives: PathText
    energy: Energy
    backbone: Backbone
    scales: Scales
    trainer: Trainer
    defaults: Defaults
    band_sets: dict[str, Bands]
    datasets: dict[str, DatasetParams]
    recipes: Recipes
    specialists: dict[str, SpecialistParams]
    ensemble: Annotated[tuple[Name, ...], Field(min_length=1)]
    encoding: Encoding
    fusion: Fusion
    tasks: dict[str, TaskParams]

    @property
    def current(self) -> Scale:
        """The settings of the scale in use."""
        return self.scales.mini if self.scale == "mini" else self.scales.full

    @property
    def imagenet(self) -> bool:
        """Whether the start weights are ImageNet's; else they are drawn at random."""
        own = self.backbone.pretrained
        return self.current.pretrained if own is None else own

    def source(self, dataset: str) -> SourceKind:
        """Where a dataset comes from: its own setting before the scale's."""
        return self.dataset(dataset).source or self.current.source

    def dataset(self, name: str) -> DatasetParams:
        """A dataset's entry.

        Raises:
            EosfmError: There is none of that name.
        """
        return _entry(self.datasets, "datasets", name)

    def tile_size(self, dataset: str) -> int | None:
        """Pixels of a dataset's tiles, the scale's where those are fewer; None for whole images."""
        own = self.dataset(dataset).tile
        return min(own, self.current.tile or own) if own else None

    def specialist(self, name: str) -> SpecialistParams:
        """A specialist's entry, with the overrides of its recipe applied.

        Raises:
            EosfmError: There is none of that name.
        """
        own = _entry(self.specialists, "specialists", name)
        recipe = self.training(own).recipe
        if recipe == "published":
            return own.model_copy(update=own.published.given_for(SpecialistParams))
        return own

    def training(self, specialist: SpecialistParams) -> ScaleTrain:
        """The scale's training settings, with the specialist's overrides applied."""
        return self.current.train.model_copy(update=self.overrides(specialist))

    def overrides(self, specialist: SpecialistParams) -> dict[str, Any]:
        """A specialist's overrides of the scale's training settings, by key."""
        at_mini = specialist.mini.given if self.scale == "mini" else {}
        return at_mini | specialist.train.given

    def task(self, name: str) -> TaskParams:
        """A downstream task's entry, with the overrides of the scale applied.

        Raises:
            EosfmError: There is none of that name.
        """
        own = _entry(self.tasks, "tasks", name)
        return own.model_copy(update=self.task_options(name).given_for(TaskParams))

    def task_options(self, name: str) -> TaskOptions:
        """The scale's overrides for a task."""
        return self.current.tasks.get(name, TaskOptions())

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        for section in ("band_sets", *SHARED):
            _check_names(section, getattr(self, section))
        if taken := sorted(RESERVED.intersection(self.tasks)):
            raise EosfmError(
                f"tasks has an entry {taken[0]!r}, which names a row of the metrics over all "
                "tasks; rename it"
            )
        for section, entries in (("specialists", self.specialists), ("tasks", self.tasks)):
            for name, entry in entries.items():
                _entry(self.datasets, "datasets", entry.dataset, f"{section}.{name}.dataset is")
        for name in self.ensemble:
            _entry(self.specialists, "specialists", name, "ensemble names")
        twice = {name for name in self.ensemble if self.ensemble.count(name) > 1}
        if twice:
            raise EosfmError(f"ensemble names {sorted(twice)[0]!r} twice; name it once")
        return self

    @model_validator(mode="after")
    def _splits_are_cut(self) -> "Params":
        readers = [(f"specialists.{k}", v.dataset, SPLITS[:2]) for k, v in self.specialists.items()]
        readers += [(f"tasks.{k}", v.dataset, SPLITS) for k, v in self.tasks.items()]
        for reader, name, read in readers:
            cut = self.dataset(name).splits
            if missing := [split for split in read if split not in cut]:
                raise EosfmError(
                    f"{reader} reads split {missing[0]} of {name}, of which {' '.join(cut)} are "
                    f"cut; set datasets.{name}.splits='{' '.join(read)}'"
                )
        return self

    @model_validator(mode="after")
    def _bands_are_standardised(self) -> "Params":
        if self.fusion.spectral and self.encoding.standardize == "specialist":
            raise EosfmError(
                "fusion.spectral is true, but encoding.standardize=specialist leaves the bands in "
                "physical units; set fusion.spectral=false, or encoding.standardize=dataset"
            )
        return self

    @model_validator(mode="after")
    def _devices_share_batches(self) -> "Params":
        size = self.current.protocol.batch_size
        for name, task in self.tasks.items():
            if size % task.devices:
                raise EosfmError(
                    f"tasks.{name}.devices is {task.devices}, and so many processes cannot share "
                    f"batches of {size} equally; set it to a divisor, or change "
                    f"scales.{self.scale}.protocol.batch_size"
                )
        return self

    @model_validator(mode="after")
    def _something_to_simulate(self) -> "Params":
        for name, entry in self.datasets.items():
            if self.source(name) == "simulated" and entry.simulated is None:
                raise EosfmError(
                    f"datasets.{name} is simulated, but its `simulated` is null; expected train, "
                    f"val, test, size and gsd; give them, or set datasets.{name}.source=archive"
                )
        return self


Entry = TypeVar("Entry")


def _entry(entries: Mapping[str, Entry], section: str, name: str, found: str = "") -> Entry:
    if name not in entries:
        what = f"{found} {name!r}, which has no entry in {section}"
        none = what if found else f"no entry {section}.{name}"
        raise EosfmError(f"{none}; {suggest(name, list(entries))}")
    return entries[name]


def _check_names(section: str, names: Iterable[str]) -> None:
    """Check entry names, which become names of files, stages and metrics."""
    for name in names:
        if not re.fullmatch("[a-z0-9_]{1,100}", name):
            raise EosfmError(
                f"{section} has an entry {name[:100]!r}; expected small letters, digits and "
                "underscores; rename it"
            )


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check the parameters.

    Raises:
        EosfmError: The file is missing, no YAML, or has a wrong, unknown or missing key; the line
            names the key and what is valid there.
    """
    data = read_yaml(Path(path))
    try:
        return Params.model_validate(_completed(data))
    except ValidationError as error:
        raise EosfmError(f"{path}: {first_fault(error, Params)}") from None


def _completed(data: Any) -> Any:
    """The file's content with each entry completed from its section's defaults."""
    if not isinstance(data, dict) or not isinstance(data.get("defaults"), dict):
        return data
    full = dict(data)
    for section in SHARED:
        shared, entries = data["defaults"].get(section), data.get(section)
        if isinstance(shared, dict) and isinstance(entries, dict):
            full[section] = {
                name: {**shared, **entry} if isinstance(entry, dict) else entry
                for name, entry in entries.items()
            }
    return full
