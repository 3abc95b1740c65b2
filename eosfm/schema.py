"""The parts of ``params.yaml``: which keys there are and which values they take."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
)

from eosfm.core.bands import check_bands
from eosfm.core.splits import Split
from eosfm.fusion import FUSIONS

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Loss = Literal["ce", "bce", "dice", "mse", "fcos"]
Head = Literal["upernet", "linear", "knn"]
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

    ``seeds`` is the number of fits of the ensemble, ``baseline_seeds`` of each baseline;
    ``max_dates`` an upper limit of every task's; tiles larger than ``window`` pixels are seen
    through windows: one drawn anew in every epoch of training, the fewest that cover a tile in
    validation and test. Every ``validate_every`` epochs and after the last the validation split is
    scored; ``workers`` is the number of loader processes. ``fine_tune`` trains the encoders as
    well; ``class_weights`` balanced gives rare classes more say in the loss.
    """

    label_fraction: Fraction
    epochs: PositiveInt
    steps_per_epoch: PositiveInt | None
    batch_size: PositiveInt
    lr: Positive
    decoder_channels: PositiveInt
    seeds: PositiveInt
    baseline_seeds: PositiveInt
    max_dates: PositiveInt | None
    window: PositiveInt | None
    validate_every: PositiveInt
    workers: Annotated[int, Field(ge=0)]
    fine_tune: bool
    class_weights: Literal["none", "balanced"]


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
    """For ``lightning.Trainer``; precision null is bf16-mixed on a GPU, 32-true else.

    Several devices or nodes are several processes (``ddp``, which ``auto`` then is), which share
    each batch. ``threads`` is torch's, of each process, and decides the last digits on a CPU.
    """

    accelerator: str
    devices: int | str | list[int]
    num_nodes: PositiveInt
    strategy: Literal["auto", "ddp"]
    precision: str | None
    threads: PositiveInt


class Simulated(Frozen):
    """Simulated scenes per split, their size in pixels, and metres per pixel."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt
    size: PositiveInt
    gsd: Positive


class DatasetDefaults(Frozen):
    """Where a dataset's files come from.

    ``source`` null leaves it to the scale; ``root`` is the folder of a copy that the user has, null
    for a download.
    """

    source: SourceKind | None
    root: Annotated[str, Field(min_length=1)] | None


class DatasetParams(DatasetDefaults):
    """One dataset: whose native files it is a copy of, and how it is tiled.

    ``reader`` names the catalogue's dataset, ``eosfm/datasets/<reader>.py``; ``tile`` is the size
    of the stored tiles in pixels, null for whole images; ``splits`` are those that are cut.
    """

    reader: str
    tile: PositiveInt | None
    splits: CutSplits
    simulated: Simulated | None


class TrainOverrides(Frozen):
    """Settings of :class:`ScaleTrain` that one specialist sets for itself.

    What is not given (``model_fields_set``) is the scale's; the values here are never read.
    """

    epochs: PositiveInt | None = None
    steps_per_epoch: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    lr: Positive | None = None
    decoder_channels: PositiveInt = 1
    workers: Annotated[int, Field(ge=0)] = 0
    patience: PositiveInt | None = None

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

    lr: Positive
    crop: PositiveInt | None
    pretrained: bool
    class_weights: Literal["none", "balanced"]
    date_mode: Literal["siamese", "stacked"]
    train: TrainOverrides


class SpecialistParams(SpecialistDefaults):
    """The published settings of one specialist."""

    dataset: str
    bands: Bands
    epochs: PositiveInt
    batch_size: PositiveInt
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
    projection: bool
    max_encoders: PositiveInt | None
    selection: Literal["forward", "topk", "smooth", "published_topk", "published_smooth"]
    scale_features: bool
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

    dataset: str
    bands: Bands
    label_fraction: Fraction | None
    max_dates: PositiveInt | None


class Defaults(Frozen):
    """Values that the entries of a section share; each is complete, and any entry may differ."""

    datasets: DatasetDefaults
    specialists: SpecialistDefaults
    tasks: TaskDefaults
