"""Augmentation of a batch of training images, besides the flips and turns done on reading."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from eosfm.core.errors import EosfmError
from eosfm.kinds import Kind
from eosfm.recipes import Augmentation, Scaling

HALF = 0.5
"""Share of the images that are rotated, and of those whose colours change."""

Batch = Mapping[str, Any]


def build_augmentation(
    augmentation: Augmentation, kind: Kind, scaling: Literal["tiles"] | Scaling
) -> Callable[[Batch], dict[str, Any]] | None:
    """A function that augments a batch on its device; None if the recipe asks for nothing.

    It draws from torch's random state. A rotation fills the corners of images with 0 and those of
    pixel targets with class 0, as torchgeo's augmentations do, with which the published specialists
    were trained.

    Raises:
        EosfmError: As :func:`check_augmentation` does.
    """
    check_augmentation(augmentation, kind, scaling)
    if not _asks(augmentation):
        return None
    from kornia.augmentation import AugmentationSequential

    keys = ["input", "mask"] if kind.answer == "pixel" else ["input"]
    change = AugmentationSequential(*_changes(augmentation), data_keys=keys)

    def augment(batch: Batch) -> dict[str, Any]:
        image = _one_date_of_colours(batch["image"])
        if kind.answer == "image":
            return {**batch, "image": change(image)[:, None]}
        target = batch[kind.target_key]
        image, moved = change(image, target[:, None].to(image.dtype))
        return {**batch, "image": image[:, None], kind.target_key: moved[:, 0].to(target.dtype)}

    return augment


def check_augmentation(
    augmentation: Augmentation, kind: Kind, scaling: Literal["tiles"] | Scaling
) -> None:
    """Refuse what cannot be augmented, before anything is built.

    Raises:
        EosfmError: The kind has objects, whose boxes would not move along, or colours are to change
            and values are not scaled to 0 to 1, the range to which kornia clips.
    """
    if kind.answer == "object" and _asks(augmentation):
        raise EosfmError(
            "augmentation asks for more than moves, which would leave boxes where they are; "
            "expected moves alone for detection; leave out rotation, sharpness, jitter and erasing"
        )
    colours = augmentation.sharpness or augmentation.jitter
    if colours and (scaling == "tiles" or scaling.mean not in (0, (0,) * 3)):
        told = scaling if scaling == "tiles" else scaling.model_dump()
        raise EosfmError(
            f"augmentation has sharpness or jitter and scaling is {told}; expected "
            "values from 0 to 1, such as {mean: 0, std: 255} gives; change either"
        )


def _changes(wanted: Augmentation) -> list[Any]:
    """One change after the other, in the order that torchgeo has them in."""
    import kornia.augmentation as kornia

    changes = (
        (wanted.rotation, kornia.RandomRotation(wanted.rotation, p=HALF)),
        (wanted.sharpness, kornia.RandomSharpness(p=wanted.sharpness)),
        (wanted.erasing, kornia.RandomErasing(p=wanted.erasing)),
        (wanted.jitter, kornia.ColorJitter(*(wanted.jitter,) * 4, p=HALF)),
    )
    return [change for amount, change in changes if amount]


def _asks(wanted: Augmentation) -> bool:
    """Whether a recipe asks for more than moves."""
    return any((wanted.rotation, wanted.sharpness, wanted.jitter, wanted.erasing))


def _one_date_of_colours(image: Any) -> Any:
    """(B, 1, 3, h, w) to (B, 3, h, w)."""
    if image.shape[1:3] != (1, 3):
        raise EosfmError(
            f"augmentation of {image.shape[1]} date(s) of {image.shape[2]} bands; expected one of "
            "three; leave out rotation, sharpness, jitter and erasing"
        )
    return image[:, 0]
