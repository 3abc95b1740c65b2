"""What decides one specialist's training, settled once."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eosfm.core.errors import EosfmError
from eosfm.core.seeds import derive_seed
from eosfm.kinds import Kind
from eosfm.params import Params
from eosfm.recipes import Method

Scaling = tuple[tuple[float, ...], tuple[float, ...]]
"""Of each band, what is subtracted from its values, and what they are then divided by."""


@dataclass(frozen=True)
class Recipe:
    """A specialist's settings once the scale has had its say.

    Attributes:
        name: Of the specialist.
        reader: The dataset of the catalogue that its tiles are a copy of.
        backbone: timm model name.
        bands: What it looks at, in order.
        loss: Name of its loss.
        pretrained: Whether it begins with the start weights, not with a draw of its own.
        epochs: Length of the training.
        steps_per_epoch: Batches per epoch; None is one pass.
        batch_size: Tiles per batch, of all processes together.
        lr: Highest learning rate.
        method: How it learns, from the optimiser to the epoch that is kept.
        crop: Size of the training windows in pixels; None for whole tiles.
        decoder_channels: Width of the head.
        seed: Of initial weights, crops, the order of the batches, and whatever else is drawn.
        patience: Epochs without a better score that end the training; None never does.
        balanced: Whether rare classes have more say in the loss.
        stacked: Whether the encoder takes all dates at once, in its channels.
        workers: Loader processes per split and training process.
        trainer: Options of ``lightning.Trainer``, and torch's ``threads``.
    """

    name: str
    reader: str
    backbone: str
    bands: tuple[str, ...]
    loss: str
    pretrained: bool
    epochs: int
    steps_per_epoch: int | None
    batch_size: int
    lr: float
    method: Method
    crop: int | None
    decoder_channels: int
    seed: int
    patience: int | None
    balanced: bool
    stacked: bool
    workers: int
    trainer: Mapping[str, Any]

    @classmethod
    def resolve(cls, params: Params, name: str) -> "Recipe":
        """Settle a specialist's settings.

        The specialist's own values, except that the scale caps the epochs and, where set, replaces
        batch size, learning rate and steps. Its ``train`` overrides both, and at scale mini so does
        its ``mini`` where ``train`` is silent.
        Pretrained weights are used if the specialist and the scale both ask for them, unless
        ``backbone.pretrained`` decides.
        """
        own, scale = params.specialist(name), params.current
        train = params.training(own)
        limit = train.epochs or own.epochs
        method: Method = getattr(params.recipes, train.recipe)
        if train.recipe == "published":
            method = method.model_copy(update=own.published.method)
        pretrained = params.backbone.pretrained
        if pretrained is None:
            pretrained = scale.pretrained and own.pretrained
        return cls(
            name=name,
            reader=params.dataset(own.dataset).reader,
            backbone=params.backbone.name,
            bands=own.bands,
            loss=own.loss,
            pretrained=pretrained,
            epochs=limit if "epochs" in params.overrides(own) else min(own.epochs, limit),
            steps_per_epoch=train.steps_per_epoch or own.steps_per_epoch,
            batch_size=train.batch_size or own.batch_size,
            lr=train.lr or own.lr,
            method=method,
            crop=own.crop,
            decoder_channels=train.decoder_channels,
            seed=derive_seed(params.seed, "train", name),
            patience=train.patience,
            balanced=own.class_weights == "balanced",
            stacked=own.date_mode == "stacked",
            workers=train.workers,
            trainer=params.trainer.model_dump(),
        )

    def head(self, kind: Kind) -> str:
        """The head for a kind of labels; what the method leaves open, the kind's first."""
        return str(getattr(self.method.heads, kind.answer, kind.heads[0]))

    def scaling(self) -> Scaling | None:
        """What scales each band; None leaves it to the mean and deviation of its training tiles.

        Raises:
            EosfmError: The recipe's numbers are not one for each band, or divide by 0.
        """
        given = self.method.scaling
        if given == "tiles":
            return None
        count = len(self.bands)
        mean, std = (v if isinstance(v, tuple) else (v,) * count for v in (given.mean, given.std))
        if not len(mean) == len(std) == count or 0 in std:
            raise EosfmError(
                f"specialist {self.name}: scaling has mean {given.mean} and std {given.std} for "
                f"{count} bands; expected a number, or one for each band, and no std of 0"
            )
        return mean, std

    def digest(self) -> bytes:
        """What names the run; the number of workers changes no result."""
        plain = asdict(self) | {"workers": None, "method": self.method.model_dump()}
        return json.dumps(plain, sort_keys=True).encode()
