"""The parts of ``params.yaml``: which keys there are and which values they take."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from eosfm.core.bands import check_bands
from eosfm.core.splits import Split
from eosfm.fusion import FUSIONS


def _number(value: object) -> object:
    """Python takes true for 1, which nobody means."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0, le=1e6)]
Rate = Annotated[Number, Field(gt=0, le=10)]
Fraction = Annotated[Number, Field(gt=0, le=1)]
Yes = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, gt=0, le=10_000_000)]
Size = Annotated[int, Field(strict=True, gt=0, le=100_000)]
"""Pixels, channels, or items of a batch."""
Processes = Annotated[int, Field(strict=True, gt=0, le=4_096)]
Workers = Annotated[int, Field(strict=True, ge=0, le=1_024)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=100)]
"""Of files, stages and metrics; it is part of commands that a shell reads."""
Place = Annotated[str, Field(min_length=1, max_length=4_096, pattern=r"^[^\x00-\x1f]+$")]
"""A path; in one line, and no end of a text in C."""
Loss = Literal["ce", "bce", "dice", "mse", "fcos"]
Head = Literal["upernet", "linear", "ridge", "knn"]
Aggregation = Literal["mean", "linear", "ltae", "concat", "difference"]
Metric = Literal["miou", "accuracy", "map", "f1", "rmse", "r2"]
SourceKind = Literal["simulated", "archive"]


def _words(value: object) -> object:
    """Names in one line, as YAML can name and repeat it and DVC keeps it when it sets a value."""
    return tuple(value.split()) if isinstance(value, str) else value


def _known(bands: tuple[str, ...]) -> tuple[str, ...]:
    check_bands(bands)
    return bands


Bands = Annotated[
    tuple[str, ...], BeforeValidator(_words), Field(min_length=1), AfterValidator(_known)
]
"""Names of bands in the order of the channels: a list, or words with blanks between them."""

CutSplits = Annotated[tuple[Split, ...], BeforeValidator(_words), Field(min_length=1)]
"""Names of splits: a list, or words with blanks between them."""


class Frozen(BaseModel):
    """No unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Energy(Frozen):
    """CodeCarbon's settings."""

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Backbone(Frozen):
    """The encoder that every specialist uses; ``pretrained`` null leaves it to the scale."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")]
    pretrained: Yes | None


class ScaleTrain(Frozen):
    """Limits and sizes of a specialist's training; null leaves the specialist's own value.

    ``epochs`` is an upper limit; ``steps_per_epoch`` its length in batches (null: one pass).
    ``patience`` ends a training after so many epochs without a better validation score (null:
    never early).
    """

    epochs: Count | None
    steps_per_epoch: Count | None
    batch_size: Size | None
    lr: Rate | None
    decoder_channels: Size
    workers: Workers
    patience: Count | None


class ScaleProtocol(Frozen):
    """How a downstream head is trained at this scale.

    ``seeds`` is the number of fits of the ensemble, ``baseline_seeds`` of each baseline;
    ``max_dates`` an upper limit of every task's; tiles larger than ``window`` pixels are seen
    through windows: one drawn anew in every epoch of training, the fewest that cover a tile in
    validation and test. Every ``validate_every`` epochs and after the last the validation split is
    scored; ``workers`` is the number of loader processes. ``fine_tune`` trains the encoders as
    well; ``class_weights`` balanced gives rare classes more say in the loss.
    """

    label_fraction: Fraction
    epochs: Count
    steps_per_epoch: Count | None
    batch_size: Size
    lr: Rate
    decoder_channels: Size
    seeds: Count
    baseline_seeds: Count
    max_dates: Count | None
    window: Size | None
    validate_every: Count
    workers: Workers
    fine_tune: Yes
    class_weights: Literal["none", "balanced"]


class Scale(Frozen):
    """The size-dependent settings and the default source of data."""

    source: SourceKind
    pretrained: Yes
    tile: Size | None
    train: ScaleTrain
    protocol: ScaleProtocol


class Scales(Frozen):
    """The two scales."""

    mini: Scale
    full: Scale


def _devices(value: object) -> object:
    """A number of devices, all (``auto``, -1), or which ones."""
    whole = type(value) is int and (value == -1 or 1 <= value <= 4_096)
    several = isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)
    words = isinstance(value, str) and re.fullmatch(r"auto|-1|\d{1,4}(,\d{1,4})*", value)
    if whole or (several and value) or words:
        return value
    raise ValueError("expected how many (1, 2, ...), auto, or which ([0, 1])")


class Trainer(Frozen):
    """For ``lightning.Trainer``; precision null is bf16-mixed on a GPU, 32-true else.

    Several devices or nodes are several processes (``ddp``, which ``auto`` then is), which share
    each batch. ``threads`` is torch's, of each process, and decides the last digits on a CPU.
    """

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"]
    devices: Annotated[int | str | list[int], BeforeValidator(_devices)]
    num_nodes: Processes
    strategy: Literal["auto", "ddp"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true"] | None
    threads: Processes


class Simulated(Frozen):
    """Simulated scenes per split, their size in pixels, and metres per pixel."""

    train: Count
    val: Count
    test: Count
    size: Size
    gsd: Positive


class DatasetDefaults(Frozen):
    """Where a dataset's files come from.

    ``source`` null leaves it to the scale; ``root`` is the folder of a copy that the user has, null
    for a download.
    """

    source: SourceKind | None
    root: Place | None


class DatasetParams(DatasetDefaults):
    """One dataset: whose native files it is a copy of, and how it is tiled.

    ``reader`` names the catalogue's dataset, ``eosfm/datasets/<reader>.py``; ``tile`` is the size
    of the stored tiles in pixels, null for whole images; ``splits`` are those that are cut.
    """

    reader: Name
    tile: Size | None
    splits: CutSplits
    simulated: Simulated | None


class TrainOverrides(Frozen):
    """Settings of :class:`ScaleTrain` that one specialist sets for itself.

    What is not given (``model_fields_set``) is the scale's; the values here are never read.
    """

    epochs: Count | None = None
    steps_per_epoch: Count | None = None
    batch_size: Size | None = None
    lr: Rate | None = None
    decoder_channels: Size = 1
    workers: Workers = 0
    patience: Count | None = None

    @property
    def given(self) -> dict[str, Any]:
        """The settings in the file, by key."""
        return self.model_dump(exclude_unset=True)


class SpecialistDefaults(Frozen):
    """What specialists share.

    ``class_weights`` balanced gives rare classes more say in the loss. ``date_mode``: siamese
    encodes each date by itself, stacked all dates at once, one after the other in the channels,
    each with ``bands``. ``train`` beats the scale's training and its limits.
    """

    lr: Rate
    crop: Size | None
    pretrained: Yes
    class_weights: Literal["none", "balanced"]
    date_mode: Literal["siamese", "stacked"]
    train: TrainOverrides


class SpecialistParams(SpecialistDefaults):
    """The published settings of one specialist."""

    dataset: Name
    bands: Bands
    epochs: Count
    batch_size: Size
    loss: Loss


class Encoding(Frozen):
    """How an input reaches the specialists."""

    adaptation: Literal["named", "counted"]
    standardize: Literal["dataset", "specialist"]
    max_gb: Positive


class Fusion(Frozen):
    """How the specialists' pyramids become one (see :class:`eosfm.EosFM`).

    ``selection`` of ``max_encoders`` is forward selection by ridge regression on the frozen
    features, or learned by gates in training: ``topk`` or ``smooth``, ours or as published.
    """

    method: Literal[tuple(FUSIONS)]  # type: ignore[valid-type]  # the table is the one list
    width_multiplier: Positive
    normalize: Literal["pixel", "batch", "layer", "none"]
    projection: Yes
    max_encoders: Count | None
    selection: Literal["forward", "topk", "smooth", "published_topk", "published_smooth"]
    scale_features: Yes
    ablate: tuple[str, ...]


class TaskDefaults(Frozen):
    """What downstream tasks share.

    ``aggregation`` joins the features of several dates: ``mean``, ``linear`` or ``ltae`` of a
    series, ``concat`` or ``difference`` for change, null where there is one date.
    """

    head: Head
    metric: Metric
    aggregation: Aggregation | None


class TaskParams(TaskDefaults):
    """One downstream task; ``max_dates`` samples that many evenly from the stored ones."""

    dataset: Name
    bands: Bands
    label_fraction: Fraction | None
    max_dates: Count | None


class Defaults(Frozen):
    """Values that the entries of a section share; each is complete, and any entry may differ."""

    datasets: DatasetDefaults
    specialists: SpecialistDefaults
    tasks: TaskDefaults
