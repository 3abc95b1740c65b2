"""Schema of the training part of ``params.yaml``: recipes, scales' sizes, specialists' entries."""

from typing import Annotated, Any, Literal

from pydantic import Field

from eosfm.fields import (
    Bands,
    Count,
    Frozen,
    Loss,
    Name,
    Number,
    Positive,
    Rate,
    Size,
    StrictBool,
    Workers,
)

Share = Annotated[Number, Field(ge=0, le=1)]
Decay = Annotated[Number, Field(ge=0, le=10)]
RecipeName = Literal["ours", "published"]
Moves = Literal["none", "flips", "turns"]
"""Whether a sample is shown as it is, also mirrored from left to right and from top to bottom, or
in all eight ways of quarter turns and a mirror."""
Weights = Literal["none", "balanced"]
Dates = Literal["siamese", "stacked"]
Optimizer = Literal["adamw", "adam", "muon"]
Values = Number | tuple[Number, ...]
"""One value for all bands, or one per band in their order."""


class Plateau(Frozen):
    """``factor`` scales the rate after more than ``patience`` epochs without a lower loss."""

    factor: Annotated[Number, Field(gt=0, lt=1)]
    patience: Count


Schedule = Literal["one_cycle", "constant"] | Plateau


class Given(Frozen):
    """Settings that an entry may leave out: only what is in the file counts, no default here."""

    @property
    def given(self) -> dict[str, Any]:
        """The settings in the file, by key."""
        return {key: getattr(self, key) for key in self.model_fields_set}

    def given_for(self, form: type[Frozen]) -> dict[str, Any]:
        """Those of them that are settings of another form, which they override."""
        return {key: value for key, value in self.given.items() if key in form.model_fields}


class Augmentation(Given):
    """Augmentation of training images, and of pixel targets with them; off where left out.

    ``moves``: ``flips`` are horizontal and vertical, each with probability 0.5; ``turns`` adds
    quarter turns, all eight orientations equally likely. ``rotation``: largest angle in degrees,
    for half of the images. ``sharpness``: share of images that are sharpened. ``jitter``: strength
    of changes in brightness, contrast, saturation and hue, for half of the images. ``erasing``:
    share of images with an erased rectangle.
    """

    moves: Moves = "none"
    rotation: Annotated[Number, Field(ge=0, le=180)] = 0
    sharpness: Share = 0
    jitter: Annotated[Number, Field(ge=0, le=0.5)] = 0
    erasing: Share = 0


class Scaling(Given):
    """Fixed standardisation: (value - ``mean``) / ``std`` per band, in the band's unit.

    ``unit`` is the unit of the numbers, for datasets that have editions in several units.
    """

    mean: Values
    std: Values
    unit: str | None = None


class Heads(Frozen):
    """The head for labels per image and for labels per pixel; objects have only one head."""

    image: Literal["linear", "last_map"]
    pixel: Literal["upernet", "upernet_batch"]


class Method(Frozen):
    """Training method of a specialist, independent of its dataset.

    ``decay``: ``kernels`` leaves norms and biases out of the weight decay. ``schedule``:
    ``one_cycle`` of the rate, ``constant``, or a plateau of the validation loss. ``gradient_norm``:
    norm to which longer gradients are clipped; null never. ``scaling``: ``tiles`` uses mean and
    standard deviation of the training tiles, per band. ``dropout``: rate on the head's last maps.
    ``keep``: the best epoch on validation tiles, or the last.
    """

    optimizer: Optimizer
    weight_decay: Decay
    decay: Literal["kernels", "all"]
    schedule: Schedule
    gradient_norm: Positive | None
    augmentation: Augmentation
    scaling: Literal["tiles"] | Scaling
    heads: Heads
    dropout: Annotated[Number, Field(ge=0, lt=1)]
    keep: Literal["best", "last"]


class Recipes(Frozen):
    """The two recipes."""

    ours: Method
    published: Method


class ScaleTrain(Frozen):
    """Recipe, limits and sizes of a specialist's training; null leaves the specialist's own value.

    ``epochs`` is an upper limit; ``steps_per_epoch`` its length in batches. ``patience`` ends a
    training after so many epochs without a better validation score (null: never early).
    """

    recipe: RecipeName
    epochs: Count | None
    steps_per_epoch: Count | None
    batch_size: Size | None
    lr: Rate | None
    decoder_channels: Size
    workers: Workers
    patience: Count | None


class TrainOverrides(Given):
    """Settings of :class:`ScaleTrain` that one specialist sets for itself."""

    recipe: RecipeName = "ours"
    epochs: Count | None = None
    steps_per_epoch: Count | None = None
    batch_size: Size | None = None
    lr: Rate | None = None
    decoder_channels: Size = 1
    workers: Workers = 0
    patience: Count | None = None


class Published(Given):
    """Overrides of one specialist under the published recipe.

    The keys of its entry and of :class:`Method` in which published specialists differ.
    """

    bands: Bands = ("red",)
    loss: Loss = "ce"
    batch_size: Size = 1
    lr: Rate = 1.0
    crop: Size | None = None
    steps_per_epoch: Count | None = None
    pretrained: StrictBool = False
    class_weights: Weights = "none"
    optimizer: Optimizer = "adamw"
    weight_decay: Decay = 0.0
    schedule: Schedule = "constant"
    augmentation: Augmentation = Augmentation()
    scaling: Literal["tiles"] | Scaling = "tiles"


class SpecialistDefaults(Frozen):
    """What specialists share.

    ``steps_per_epoch`` null is one pass. ``class_weights`` balanced weights rare classes higher in
    the loss. ``date_mode``: siamese encodes each date by itself, stacked encodes all dates at once,
    their ``bands`` stacked in the channels. ``train`` overrides the scale's training and its
    limits; at scale mini, so does ``mini`` for keys that ``train`` leaves out. ``published``
    applies under the published recipe.
    """

    lr: Rate
    crop: Size | None
    steps_per_epoch: Count | None
    pretrained: StrictBool
    class_weights: Weights
    date_mode: Dates
    train: TrainOverrides
    mini: TrainOverrides
    published: Published


class SpecialistParams(SpecialistDefaults):
    """The settings of one specialist."""

    dataset: Name
    bands: Bands
    epochs: Count
    batch_size: Size
    loss: Loss
