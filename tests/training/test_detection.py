"""Detection on the specialist's pyramid: it learns, from tiles with and without objects."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.kinds import KINDS
from eosfm.params import Params
from eosfm.tiles.dataset import TileDataset, collate_boxes
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule
from eosfm.training.train import build_module, recipe_for, train_specialist

MakeStore = Callable[..., TileStore]
MakeParams = Callable[..., Params]
BANDS = ("B04", "B03")


def module_of(store: TileStore, params: Params) -> SpecialistModule:
    torch.manual_seed(0)
    statistics = KINDS["detection"].target_statistics([store.split("train").target(0)], 2, 255)
    return build_module(recipe_for(params, "toy"), store, statistics)


def test_two_tiles_are_learnt_by_heart(make_store: MakeStore, make_params: MakeParams) -> None:
    store = make_store("detection")
    module = module_of(store, make_params("detection")).train()
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
    make_store: MakeStore, make_params: MakeParams
) -> None:
    store = make_store("detection")
    module = module_of(store, make_params("detection"))
    image = torch.randn(1, 1, 2, 45, 37)
    cells = module(image)
    assert [len(level) for level in cells.anchors] == [16 * 16, 8 * 8, 4 * 4, 2 * 2]  # of 64 x 64
    assert cells.size == (45, 37)
    none = {"bbox_xyxy": [torch.empty(0, 4)], "label": [torch.empty(0, dtype=torch.long)]}
    module.training_step({"image": image, **none}, 0).backward()
    assert all(p.grad.isfinite().all() for p in module.parameters() if p.grad is not None)
    assert set(KINDS["detection"].predict(cells)[0]) == {"boxes", "labels", "scores"}


def test_another_loss_is_refused_in_one_line(
    make_store: MakeStore, make_params: MakeParams, tmp_path: Path
) -> None:
    params = make_params("detection")
    toy = params.specialists["toy"].model_copy(update={"loss": "ce"})
    params = params.model_copy(update={"specialists": {"toy": toy}})
    with pytest.raises(EosfmError, match="loss 'ce' does not fit detection; valid: fcos") as error:
        train_specialist(
            params,
            "toy",
            make_store("detection"),
            tmp_path / "toy.pt",
            tmp_path / "s",
            lambda *_: None,
        )
    assert "\n" not in str(error.value)
