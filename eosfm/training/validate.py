"""Scores a trained specialist again, without training: ``eosfm score``."""

from pathlib import Path
from typing import Any

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.kinds.scores import gather_classes
from eosfm.nn.specialist import load_specialist
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.train import build_data, build_module


def load_module(recipe: Recipe, store: TileStore, project: Path) -> SpecialistModule:
    """A trained specialist with its head, ready to answer.

    Args:
        recipe: Of the specialist; what decides the shapes must be as it was in training.
        store: Tiles of its dataset.
        project: Folder with the results of the pipeline.

    Raises:
        EosfmError: A file is missing or damaged, or does not fit the parameters.
    """
    name = recipe.name
    module = build_module(recipe, store, store.target_statistics())
    encoder = load_specialist(project / "models/specialists" / f"{name}.pt").state_dict
    head = tensors.read(project / "results/train" / name / "head.pt")
    try:
        module.encoder.load_state_dict(encoder)
        module.head.load_state_dict(head)
    except RuntimeError as error:
        fault = str(error).splitlines()[-1].strip()
        raise EosfmError(
            f"specialist {name} and its head do not fit params.yaml ({fault}); "
            f"run `dvc repro train@{name}`"
        ) from None
    return module.eval()


def validate_specialist(recipe: Recipe, store: TileStore, project: Path) -> dict[str, Any]:
    """Scores on the validation tiles, as :func:`eosfm.kinds.scores.gather_classes` gives them."""
    import torch
    from tqdm import tqdm

    module = load_module(recipe, store, project)
    loader = build_data(recipe, store).val_dataloader()
    with torch.inference_mode():
        for number, batch in enumerate(tqdm(loader, recipe.name, disable=None, leave=False)):
            module.validation_step(batch, number)
    return gather_classes(module.metrics.compute(), store.classes)
