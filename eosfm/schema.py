"""The parts of ``params.yaml``: which keys there are and which values they take."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eosfm.fields import (
    Aggregation,
    Bands,
    Count,
    CutSplits,
    Fraction,
    Frozen,
    Head,
    Loss,
    Metric,
    Name,
    Place,
    Positive,
    Processes,
    Rate,
    SceneCounts,
    Size,
    Some,
    SourceKind,
    Workers,
    Yes,
)
from eosfm.fusion import FUSIONS
from eosfm.recipes import Given, Optimizer, ScaleTrain, Scaling, SpecialistDefaults


class Energy(Frozen):
    """CodeCarbon's settings."""

    country: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Backbone(Frozen):
    """The encoder that every specialist uses; ``pretrained`` null leaves it to the scale."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")]
    pretrained: Yes | None


class ScaleProtocol(Frozen):
    """How a downstream head is trained at this scale.

    ``strata`` says of what kinds of tiles a share of
    the labels keeps the same share: ``rarest`` by the rarest class of a tile, ``thirds`` by the
    shares of all its classes (:meth:`eosfm.kinds.kind.Kind.thirds`).

    ``seeds`` is the number of fits of the ensemble, ``baseline_seeds`` of each baseline;
    ``max_dates`` an upper limit of every task's; tiles larger than ``window`` pixels are seen
    through windows: one drawn anew in every epoch of training, the fewest that cover a tile in
    validation and test. Every ``validate_every`` epochs and after the last the validation split is
    scored; ``workers`` is the number of loader processes. ``fine_tune`` trains the encoders as
    well; ``class_weights`` balanced gives rare classes more say in the loss; with ``late_fusion`` a
    linear model of pixel values answers along with heads of pixel labels.
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
    fine_tune: Yes
    late_fusion: Yes
    class_weights: Literal["none", "balanced"]


class TaskOptions(Given):
    """What a scale has otherwise for one task; what is left out stays as it is.

    ``bands``, ``aggregation`` and ``loss`` replace the entry's. ``scaling`` stands for mean and
    deviation of the training tiles. ``repeat`` says, by class, how often an epoch sees a training
    tile that shows it: the most often of its classes, and once where it shows none of these.
    """

    bands: Bands = ("red",)
    aggregation: Aggregation | None = None
    loss: Loss | None = None
    scaling: Scaling | None = None
    repeat: dict[str, Count] = Field(default_factory=dict)

    @property
    def entry(self) -> dict[str, Any]:
        """What replaces keys of the task's entry."""
        return {key: value for key, value in self.given.items() if key in TaskParams.model_fields}


class Scale(Frozen):
    """The size-dependent settings and the default source of data."""

    source: SourceKind
    pretrained: Yes
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
    """For ``lightning.Trainer``; precision null is bf16-mixed on a GPU, 32-true else.

    Several devices are several processes (``ddp``, which ``auto`` then is), which share each batch.
    ``threads`` is torch's, of each process, and decides the last digits on a CPU.
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

    ``source`` null leaves it to the scale; ``root`` is the folder of a copy that the user has, null
    for a download. ``scenes`` is how many an archive must have: as many as its publisher says or,
    where that is not known, as the first copy had; or any number, of a part.
    """

    source: SourceKind | None
    root: Place | None
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

    ``selection`` of ``max_encoders`` is forward selection by ridge regression on the frozen
    features, or learned by gates in training: ``topk`` or ``smooth``, ours or as published. Where
    ``max_encoders`` is ``auto``, forward selection stops at three or more when others explain no
    more.
    ``spectral`` puts the bands themselves beside the specialists (:mod:`eosfm.encoding.spectral`).
    """

    method: Literal[tuple(FUSIONS)]  # type: ignore[valid-type]  # the table is the one list
    width_multiplier: Positive
    normalize: Literal["pixel", "batch", "layer", "none"]
    projection: Yes
    max_encoders: Some
    selection: Literal["forward", "topk", "smooth", "published_topk", "published_smooth"]
    scale_features: Yes
    spectral: Yes
    ablate: tuple[str, ...]

    @property
    def limit(self) -> int | None:
        """Specialists to keep; None for all, and where the labels say how many."""
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
    the first of the kind's (:attr:`eosfm.kinds.kind.Kind.losses`).
    """

    head: Head
    metric: Metric
    aggregation: Aggregation | None
    loss: Loss | None


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
