"""A picture of what a specialist predicts: some validation tiles, their labels, its answers."""

from collections.abc import Sequence
from pathlib import Path

import torch

from eosfm.heads.pictures import save, stretched
from eosfm.kinds import Examples
from eosfm.tiles.dataset import TileDataset, collate
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule


def draw_predictions(
    module: SpecialistModule, store: TileStore, bands: Sequence[str], out: Path
) -> None:
    """Draw images, labels and predictions side by side.

    Args:
        module: A trained specialist, on the CPU; left in evaluation mode.
        store: Tiles with a validation split.
        bands: What the specialist looks at.
        out: The PNG to write; the same specialist and tiles give the same bytes.
    """
    kind, split = module.kind, store.split("val")
    tiles = TileDataset(store, "val", bands)
    shown = kind.examples(len(split), split.target, store.ignore_index)
    batch = collate(kind)(tiles.__getitems__(shown))
    module.eval()
    with torch.inference_mode():
        predictions = kind.predict(module(batch["image"]))
    pictures, caption = stretched(batch["image"], bands)
    figure = kind.draw(
        Examples(
            pictures,
            caption,
            kind.target(batch),
            predictions,
            store.classes,
            store.ignore_index,
            (store.shape[2], store.shape[3]),
        )
    )
    save(figure, out)
