"""Detection on the specialist's pyramid: it learns, from tiles with and without objects."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS
from eosfm.tiles.dataset import TileDataset, collate_boxes
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.train import build_module, train_specialist

MakeStore = Callable[..., TileStore]
MakeRecipe = Callable[..., Recipe]
BANDS = ("B04", "B03")


def module_of(store: TileStore, recipe: Recipe) -> SpecialistModule:
    torch.manual_seed(0)
    statistics = KINDS["detection"].target_statistics([store.split("train").target(0)], 2, 255)
    return build_module(recipe, store, statistics)


def test_two_tiles_are_learnt_by_heart(make_store: MakeStore, make_recipe: MakeRecipe) -> None:
    store = make_store("detection")
    module = module_of(store, make_recipe("detection")).train()
    samples = TileDataset(store, "train", BANDS).__getitems__([0, 1])
    batch = collate_boxes(samples)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    losses = []
    for step in range(60):
        loss = module.training_step(batch, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    module.eval()
    metrics = KINDS["detection"].build_metrics(store.classes, 255)
    with torch.inference_mode():
        metrics.update(module(batch["image"]), module.kind.target(batch))
    assert metrics.compute()["map50"] > 0.9


def test_odd_sizes_and_tiles_without_objects(
    make_store: MakeStore, make_recipe: MakeRecipe
) -> None:
    store = make_store("detection")
    module = module_of(store, make_recipe("detection"))
    image = torch.randn(1, 1, 2, 45, 37)
    cells = module(image)
    assert [len(level) for level in cells.anchors] == [16 * 16, 8 * 8, 4 * 4, 2 * 2]  # of 64 x 64
    assert cells.size == (45, 37)
    none = {"bbox_xyxy": [torch.empty(0, 4)], "label": [torch.empty(0, dtype=torch.long)]}
    module.training_step({"image": image, **none}, 0).backward()
    assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)
    assert set(KINDS["detection"].predict(cells)[0]) == {"boxes", "labels", "scores"}


def test_another_loss_is_refused_in_one_line(
    make_store: MakeStore, make_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = replace(make_recipe("detection"), loss="ce")
    with pytest.raises(EosfmError, match="loss 'ce' does not fit detection; valid: fcos") as error:
        train_specialist(recipe, make_store("detection"), tmp_path / "toy.pt", tmp_path / "s")
    assert "\n" not in str(error.value)
