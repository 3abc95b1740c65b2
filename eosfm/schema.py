"""The parts of ``params.yaml``: which keys there are and which values they take."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from eosfm.fields import (
    Aggregation,
    Bands,
    Count,
    CutSplits,
    EncoderLimit,
    Fraction,
    Frozen,
    Head,
    Loss,
    Metric,
    Name,
    PathText,
    Positive,
    Processes,
    Rate,
    SceneCounts,
    Size,
    SourceKind,
    StrictBool,
    Workers,
)
from eosfm.fusion import FUSIONS
from eosfm.recipes import Given, Optimizer, ScaleTrain, Scaling, SpecialistDefaults


class Energy(Frozen):
    """CodeCarbon's settings."""

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Backbone(Frozen):
    """The encoder that every specialist uses; ``pretrained`` null leaves it to the scale."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")]
    pretrained: StrictBool | None


class ScaleProtocol(Frozen):
    """How a downstream head is trained at this scale.

    ``strata``: how tiles are stratified when only a fraction of the labels is used, ``rarest`` by a
    tile's rarest class, ``thirds`` by the shares of all its classes, in thirds
    (:meth:`eosfm.kinds.kind.Kind.thirds`).

    ``seeds`` is the number of fits of the ensemble, ``baseline_seeds`` of each baseline;
    ``max_dates`` caps the dates of every task. Tiles larger than ``window`` pixels are read in
    windows: a random one per epoch in training, the fewest that cover the tile in validation and
    test. The validation split is scored every ``validate_every`` epochs and after the last;
    ``workers`` is the number of loader processes. ``fine_tune`` trains the encoders as well;
    ``class_weights`` balanced weights rare classes higher in the loss; ``late_fusion`` averages
    heads for pixel labels with a linear model of pixel values.
    """

    label_fraction: Fraction
    strata: Literal["rarest", "thirds"]
    epochs: Count
    steps_per_epoch: Count | None
    batch_size: Size
    optimizer: Optimizer
    lr: Rate
    decoder_channels: Size
    seeds: Count
    baseline_seeds: Count
    max_dates: Count | None
    window: Size | None
    validate_every: Count
    workers: Workers
    fine_tune: StrictBool
    late_fusion: StrictBool
    class_weights: Literal["none", "balanced"]


class TaskOptions(Given):
    """Overrides of a scale for one task; what is left out keeps its value.

    ``bands``, ``aggregation`` and ``loss`` replace those of the task's entry. ``scaling`` replaces
    mean and standard deviation of the training tiles. ``repeat`` gives, by class, how often an
    epoch reads a training tile with that class; the largest number counts, and 1 without any.
    """

    bands: Bands = ("red",)
    aggregation: Aggregation | None = None
    loss: Loss | None = None
    scaling: Scaling | None = None
    repeat: dict[str, Count] = Field(default_factory=dict)


class Scale(Frozen):
    """The size-dependent settings and the default source of data."""

    source: SourceKind
    pretrained: StrictBool
    tile: Size | None
    train: ScaleTrain
    protocol: ScaleProtocol
    tasks: dict[str, TaskOptions]


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
    """Options of ``lightning.Trainer``; precision null is bf16-mixed on a GPU, 32-true otherwise.

    Several devices are one process each (strategy ``ddp``, also under ``auto``) and split each
    batch. ``threads`` is torch's thread count per process; on a CPU it affects the last digits.
    """

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"]
    devices: Annotated[int | str | list[int], BeforeValidator(_devices)]
    strategy: Literal["auto", "ddp"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] | None
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

    ``source`` null leaves it to the scale; ``root`` is the folder of the user's own copy, null for
    a download. ``scenes`` is how many scenes an archive must have: ``published`` for the number its
    publisher states or, if unknown, that of the first copy; ``any`` for a part of it.
    """

    source: SourceKind | None
    root: PathText | None
    scenes: SceneCounts


class DatasetParams(DatasetDefaults):
    """One dataset: whose native files it is a copy of, and how it is tiled.

    ``reader`` names the catalogue's dataset, ``eosfm/datasets/<reader>.py``; ``tile`` is the size
    of the stored tiles in pixels, null for whole images; ``splits`` are those that are cut.
    """

    reader: Name
    tile: Size | None
    splits: CutSplits
    simulated: Simulated | None


class Encoding(Frozen):
    """How an input reaches the specialists."""

    adaptation: Literal["named", "counted"]
    standardize: Literal["dataset", "specialist"]
    max_gb: Positive


class Fusion(Frozen):
    """How the specialists' pyramids become one (see :class:`eosfm.EosFM`).

    ``selection`` of ``max_encoders`` specialists: ``forward`` selection by ridge regression on the
    frozen features, or gates learned in training, ``topk`` or ``smooth``, ours or as published.
    With ``max_encoders`` ``auto``, forward selection keeps at least three specialists and stops
    once more of them no longer raise R2.
    ``spectral`` adds the bands themselves as an input (:mod:`eosfm.encoding.spectral`).
    """

    method: Literal[tuple(FUSIONS)]  # type: ignore[valid-type]  # the table is the one list
    width_multiplier: Positive
    normalize: Literal["pixel", "batch", "layer", "none"]
    projection: StrictBool
    max_encoders: EncoderLimit
    selection: Literal["forward", "topk", "smooth", "published_topk", "published_smooth"]
    scale_features: StrictBool
    spectral: StrictBool
    ablate: tuple[str, ...]

    @property
    def limit(self) -> int | None:
        """Specialists to keep; None for all of them, and for ``auto``."""
        return None if self.max_encoders == "auto" else self.max_encoders

    @model_validator(mode="after")
    def _only_forward_selection_ends(self) -> "Fusion":
        if self.max_encoders == "auto" and self.selection != "forward":
            raise ValueError(
                f"max_encoders is auto, which selection {self.selection} cannot be; give a number"
            )
        return self


class TaskDefaults(Frozen):
    """What downstream tasks share.

    ``aggregation`` joins the features of several dates: ``mean``, ``linear`` or ``ltae`` of a
    series, ``concat`` or ``difference`` for change, null where there is one date. ``loss`` null is
    the first of the kind's (:attr:`eosfm.kinds.kind.Kind.losses`). ``devices`` are the processes,
    each with its own GPU where there are any, that share each batch of evaluate and baseline.
    """

    head: Head
    metric: Metric
    aggregation: Aggregation | None
    loss: Loss | None
    devices: Count


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
