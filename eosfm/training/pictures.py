"""A picture of what a specialist predicts: some validation tiles, their labels, its answers."""

from pathlib import Path

import torch

from eosfm.heads.pictures import save, stretched
from eosfm.kinds import Examples
from eosfm.tiles.dataset import TileDataset, collate
from eosfm.training.module import SpecialistModule


def draw_predictions(module: SpecialistModule, tiles: TileDataset, out: Path) -> None:
    """Draw images, labels and predictions side by side.

    Args:
        module: A trained specialist, on the CPU; left in evaluation mode.
        tiles: A validation split as the specialist sees it.
        out: The PNG to write; the same specialist and tiles give the same bytes.
    """
    kind, store = module.kind, tiles.store
    shown = kind.examples(len(tiles), tiles.tiles.target, store.ignore_index)
    batch = collate(kind)(tiles.__getitems__(shown))
    module.eval()
    with torch.inference_mode():
        predictions = kind.predict(module(batch["image"]))
    pictures, caption = stretched(batch["image"], tiles.bands)
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
