"""What training images go through beyond moves."""

from pathlib import Path
from typing import Any

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.kinds import get_kind
from eosfm.params import load_params
from eosfm.recipes import Augmentation, Method, Scaling
from eosfm.training.augmentation import build_augmentation

DN8 = Scaling(mean=0, std=255)


def batch(count: int = 64) -> dict[str, torch.Tensor]:
    """Images whose first band is 1 where the mask is 2, and 0 elsewhere."""
    mask = torch.zeros(count, 16, 16, dtype=torch.long)
    mask[:, 2:6, 9:14] = 2
    image = torch.full((count, 1, 3, 16, 16), 0.5)
    image[:, 0, 0] = mask / 2
    return {"image": image, "mask": mask, "label": torch.arange(count)}


def changed(before: torch.Tensor, after: torch.Tensor) -> int:
    return int((before != after).flatten(1).any(dim=1).sum())


def test_nothing_is_built_for_nothing() -> None:
    assert build_augmentation(Augmentation(moves="flips"), get_kind("segmentation"), DN8) is None


def test_masks_turn_with_half_of_the_images() -> None:
    torch.manual_seed(0)
    given = batch()
    augment = build_augmentation(Augmentation(rotation=90), get_kind("segmentation"), DN8)
    assert augment is not None
    done = augment(given)
    assert done["image"].shape == given["image"].shape and done["mask"].dtype == torch.long
    assert set(done["mask"].unique().tolist()) == {0, 2}
    assert 20 < changed(given["mask"], done["mask"]) < 44
    agree = (done["image"][:, 0, 0] > 0.5) == (done["mask"] == 2)
    assert agree.float().mean() > 0.97  # one is interpolated, the other takes the nearest
    assert torch.equal(done["label"], given["label"])


@pytest.mark.parametrize(
    ("amounts", "least", "most"),
    [({"sharpness": 0.5}, 20, 44), ({"jitter": 0.1}, 20, 44), ({"erasing": 0.1}, 1, 16)],
)
def test_colours_of_some_images_change(amounts: dict[str, float], least: int, most: int) -> None:
    torch.manual_seed(0)
    given = batch()
    augment = build_augmentation(Augmentation(**amounts), get_kind("classification"), DN8)
    assert augment is not None
    done = augment(given)
    assert least <= changed(given["image"], done["image"]) <= most
    assert torch.equal(done["label"], given["label"])


def test_what_cannot_be_augmented_is_one_line() -> None:
    with pytest.raises(EosfmError, match="leave boxes where they are"):
        build_augmentation(Augmentation(rotation=90), get_kind("detection"), DN8)
    augment = build_augmentation(Augmentation(jitter=0.1), get_kind("classification"), DN8)
    assert augment is not None
    with pytest.raises(EosfmError, match=r"of 2 date\(s\) of 3 bands; expected one of three"):
        augment({"image": torch.zeros(1, 2, 3, 8, 8)})


@pytest.mark.parametrize("scaling", ["tiles", Scaling(mean=(90, 95, 80), std=60)])
def test_colours_that_would_be_cut_off_are_refused(scaling: Any) -> None:
    kind = get_kind("classification")
    for colours in (Augmentation(jitter=0.1), Augmentation(sharpness=0.5)):
        with pytest.raises(EosfmError, match="expected values from 0 to 1, such as"):
            build_augmentation(colours, kind, scaling)
    assert build_augmentation(Augmentation(erasing=0.1), kind, scaling)


def test_the_published_recipes_change_colours_of_what_they_scale_so() -> None:
    params = load_params(Path(__file__).parents[2] / "params.yaml")
    for entry in params.specialists.values():
        method = params.recipes.published.model_copy(update=entry.published.given_for(Method))
        reader = get_dataset(params.dataset(entry.dataset).reader)
        if reader.kind != "detection":
            build_augmentation(method.augmentation, get_kind(reader.kind), method.scaling)
