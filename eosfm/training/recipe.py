"""All settings of one specialist's training, resolved from the parameters."""

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
"""Per band, the offset to subtract and the divisor to apply next."""


@dataclass(frozen=True)
class Recipe:
    """A specialist's settings, with those of the scale applied.

    Attributes:
        name: Of the specialist.
        reader: The dataset of the catalogue that its tiles are a copy of.
        backbone: timm model name.
        bands: Input bands in channel order.
        loss: Name of its loss.
        pretrained: Whether to begin with the start weights, not with random ones.
        epochs: Length of the training.
        steps_per_epoch: Batches per epoch; None is one pass.
        batch_size: Tiles per batch, of all processes together.
        lr: Highest learning rate.
        method: Optimiser, schedule, augmentation, and which epoch is kept.
        crop: Size of the training windows in pixels; None for whole tiles.
        decoder_channels: Width of the head.
        seed: Seeds initial weights, crops, batch order and all other draws.
        patience: Epochs without a better score that end the training; None never ends it early.
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
            method = method.model_copy(update=own.published.given_for(Method))
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
        """The method's head for a kind of labels, or the kind's first if the method names none."""
        return str(getattr(self.method.heads, kind.answer, kind.heads[0]))

    def scaling(self) -> Scaling | None:
        """Offset and divisor of each band; None for the mean and std of its training tiles.

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

    def require_units(self, units: Mapping[str, str], where: object) -> None:
        """Refuse bands in another unit than that of the scaling's numbers.

        Args:
            units: Of each of the bands.
            where: Names their dataset in the error.

        Raises:
            EosfmError: A band is in another one.
        """
        given = self.method.scaling
        if given == "tiles" or given.unit is None:
            return
        for name in self.bands:
            if (unit := units[name]) != given.unit:
                raise EosfmError(
                    f"specialist {self.name}: its scaling is for {given.unit}, and {name} of "
                    f"{where} is in {unit}; set specialists.{self.name}.published.scaling="
                    "tiles, or give numbers for it"
                )

    def require_shares(self, kind: Kind, processes: int) -> None:
        """Refuse batches that so many processes cannot share.

        Raises:
            EosfmError: Their shares are not equal, or of one tile where the head needs several.
        """
        if self.batch_size % processes:
            raise EosfmError(
                f"specialist {self.name}: a batch of {self.batch_size} cannot be shared by "
                f"{processes} processes; expected a multiple; change its batch_size or "
                "trainer.devices"
            )
        if self.batch_size == processes and self.head(kind) == "upernet_batch":
            raise EosfmError(
                f"specialist {self.name}: a batch of one, which head upernet_batch cannot "
                "normalise; expected two tiles a process at least; raise batch_size"
            )

    def digest(self) -> bytes:
        """Settings as bytes that identify the run, without the loader workers (no effect)."""
        plain = asdict(self) | {"workers": None, "method": self.method.model_dump()}
        return json.dumps(plain, sort_keys=True).encode()
