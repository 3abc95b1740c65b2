"""``params.yaml`` as frozen, validated objects: the only reader of that file."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from eosfm.core.bands import check_bands
from eosfm.core.errors import EosfmError, suggest

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Bands = Annotated[tuple[str, ...], Field(min_length=1)]
Loss = Literal["ce", "bce", "dice", "mse", "fcos"]
Head = Literal["upernet", "linear", "knn"]
Aggregation = Literal["mean", "linear", "ltae", "concat", "difference"]
Metric = Literal["miou", "accuracy", "map", "f1", "rmse", "r2"]
SourceKind = Literal["simulated", "archive"]


class Frozen(BaseModel):
    """No unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Energy(Frozen):
    """CodeCarbon's settings."""

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Backbone(Frozen):
    """The encoder that every specialist uses; ``pretrained`` null leaves it to the scale."""

    name: str
    pretrained: bool | None


class ScaleTrain(Frozen):
    """Limits and sizes of a specialist's training; null leaves the specialist's own value.

    ``epochs`` is an upper limit; ``steps_per_epoch`` its length in batches (null: one pass).
    ``patience`` ends a training after so many epochs without a better validation score (null:
    never early).
    """

    epochs: PositiveInt | None
    steps_per_epoch: PositiveInt | None
    batch_size: PositiveInt | None
    lr: Positive | None
    decoder_channels: PositiveInt
    workers: Annotated[int, Field(ge=0)]
    patience: PositiveInt | None


class ScaleProtocol(Frozen):
    """How a downstream head is trained at this scale.

    ``seeds`` is the number of fits of the ensemble, ``baseline_seeds`` of each baseline; ``dates``
    an upper limit of every task's; tiles larger than ``window`` pixels are seen through windows
    that overlap by ``overlap``; ``fine_tune`` trains the encoders as well; ``class_weights``
    balanced gives rare classes more say in the loss (see :func:`eosfm.kinds.balanced_weights`).
    """

    label_fraction: Fraction
    epochs: PositiveInt
    steps_per_epoch: PositiveInt | None
    batch_size: PositiveInt
    lr: Positive
    decoder_channels: PositiveInt
    seeds: PositiveInt
    baseline_seeds: PositiveInt
    dates: PositiveInt | None
    window: PositiveInt | None
    overlap: Annotated[int, Field(ge=0)]
    fine_tune: bool
    class_weights: Literal["none", "balanced"]

    @model_validator(mode="after")
    def _windows_advance(self) -> "ScaleProtocol":
        if self.window is not None and self.overlap >= self.window:
            raise EosfmError(
                f"protocol.overlap is {self.overlap} and protocol.window {self.window}; "
                "windows must overlap by less than their size"
            )
        return self


class Scale(Frozen):
    """The size-dependent settings and the default source of data."""

    source: SourceKind
    pretrained: bool
    tile: PositiveInt | None
    train: ScaleTrain
    protocol: ScaleProtocol


class Scales(Frozen):
    """The two scales."""

    mini: Scale
    full: Scale


class Trainer(Frozen):
    """For ``lightning.Trainer``, untouched; precision null is bf16-mixed on a GPU, 32-true else."""

    accelerator: str
    devices: int | str | list[int]
    num_nodes: PositiveInt
    strategy: str
    precision: str | None


class Simulated(Frozen):
    """Simulated scenes per split, their size in pixels, and metres per pixel."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt
    size: PositiveInt
    gsd: Positive


class DatasetParams(Frozen):
    """Where one dataset comes from and how it is tiled."""

    tile: PositiveInt | None
    source: SourceKind | None
    root: str | None
    simulated: Simulated


class SpecialistParams(Frozen):
    """The published settings of one specialist.

    ``class_weights`` balanced gives rare classes more say in the loss (see
    :func:`eosfm.kinds.balanced_weights`). ``dates``: siamese encodes each date by itself, stacked
    all dates at once, one after the other in the channels, each with ``bands``.
    """

    dataset: str
    bands: Bands
    epochs: PositiveInt
    batch_size: PositiveInt
    loss: Loss
    lr: Positive
    crop: PositiveInt | None
    pretrained: bool
    class_weights: Literal["none", "balanced"] = "none"
    dates: Literal["siamese", "stacked"] = "siamese"

    @model_validator(mode="after")
    def _known_bands(self) -> "SpecialistParams":
        check_bands(self.bands)
        return self


class Encoding(Frozen):
    """How an input reaches the specialists."""

    adaptation: Literal["named", "counted"]
    standardize: Literal["dataset", "specialist"]
    max_gb: Positive


class Fusion(Frozen):
    """How the specialists' pyramids become one (see :class:`eosfm.EosFM`).

    ``selection`` of ``max_encoders`` is forward selection by ridge regression on the frozen
    features, or learned by gates in training: ``topk`` or ``smooth``.
    """

    method: Literal["concat", "conv1x1", "mlp", "addition", "multiplication"]
    width_multiplier: Positive
    normalize: Literal["batch", "layer", "none"]
    projection: bool
    max_encoders: PositiveInt | None
    selection: Literal["forward", "topk", "smooth"]
    scale_features: bool
    ablate: tuple[str, ...]

    @property
    def gates(self) -> Literal["topk", "smooth"]:
        """How EosFM's own gates select; after forward selection none is left to."""
        return "topk" if self.selection == "forward" else self.selection


class TaskParams(Frozen):
    """One downstream task.

    ``aggregation`` joins the features of several dates: ``mean``, ``linear`` or ``ltae`` of a
    series, ``concat`` or ``difference`` for change, null where there is one date. ``dates`` samples
    that many evenly from the stored ones.
    """

    dataset: str
    bands: Bands
    head: Head
    metric: Metric
    label_fraction: Fraction | None
    aggregation: Aggregation | None = None
    dates: PositiveInt | None = None

    @model_validator(mode="after")
    def _known_bands(self) -> "TaskParams":
        check_bands(self.bands)
        return self


class Params(Frozen):
    """All of ``params.yaml``."""

    seed: Annotated[int, Field(ge=0)]
    scale: Literal["mini", "full"]
    archives: str
    energy: Energy
    backbone: Backbone
    scales: Scales
    trainer: Trainer
    datasets: dict[str, DatasetParams]
    specialists: dict[str, SpecialistParams]
    encoding: Encoding
    fusion: Fusion
    tasks: dict[str, TaskParams]

    @property
    def current(self) -> Scale:
        """The settings of the scale in use."""
        return self.scales.mini if self.scale == "mini" else self.scales.full

    def source(self, dataset: str) -> SourceKind:
        """Where a dataset comes from: its own setting before the scale's."""
        return self.dataset(dataset).source or self.current.source

    def dataset(self, name: str) -> DatasetParams:
        """A dataset's entry.

        Raises:
            EosfmError: There is none of that name.
        """
        return _entry(self.datasets, "datasets", name)

    def specialist(self, name: str) -> SpecialistParams:
        """A specialist's entry.

        Raises:
            EosfmError: There is none of that name.
        """
        return _entry(self.specialists, "specialists", name)

    def task(self, name: str) -> TaskParams:
        """A downstream task's entry.

        Raises:
            EosfmError: There is none of that name.
        """
        return _entry(self.tasks, "tasks", name)

    @model_validator(mode="after")
    def _datasets_exist(self) -> "Params":
        for section, entries in (("specialists", self.specialists), ("tasks", self.tasks)):
            for name, entry in entries.items():
                if entry.dataset not in self.datasets:
                    raise EosfmError(
                        f"{section}.{name}.dataset is {entry.dataset!r}, which has no entry in "
                        f"datasets; {suggest(entry.dataset, list(self.datasets))}"
                    )
        return self


Entry = TypeVar("Entry")


def _entry(entries: dict[str, Entry], section: str, name: str) -> Entry:
    if name not in entries:
        raise EosfmError(f"no entry {section}.{name}; {suggest(name, list(entries))}")
    return entries[name]


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and check the parameters.

    Raises:
        EosfmError: The file is missing, no YAML, or has a wrong, unknown or missing key; the line
            names the key and what is valid there.
    """
    try:
        data = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run from the project's folder") from None
    except yaml.YAMLError as error:
        raise EosfmError(f"{path} is not valid YAML: {error}") from None
    try:
        return Params.model_validate(data)
    except ValidationError as error:
        raise EosfmError(f"{path}: {_explain(error, data)}") from None


def _explain(error: ValidationError, data: object) -> str:
    """The first fault of a validation in one line, with the valid keys or values."""
    fault = error.errors()[0]
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}; {suggest(where[-1], _keys_beside(where))}"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    return f"{key} is {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _keys_beside(where: list[str]) -> list[str]:
    """The keys that are valid where an unknown one was found."""
    model: object = Params
    for part in where[:-1]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[part].annotation
        else:  # a dict of entries: step from the dict to its value type
            model = model.__args__[1]  # type: ignore[attr-defined]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return []
