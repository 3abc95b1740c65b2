"""An artifact as a folder for the Hugging Face hub."""

from collections.abc import Mapping
from pathlib import Path

from eosfm.artifacts.card import write_card
from eosfm.artifacts.inventory import take_inventory
from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.encoding.folder import CONFIG, WEIGHTS, write_folder

CARD = "README.md"


def export_folder(
    artifact: Path | str, folder: Path, metrics: Mapping[str, float] | None = None
) -> None:
    """Write weights, config and model card; the folder appears whole or not at all.

    ``huggingface_hub`` uploads it, and :meth:`eosfm.EosFM.from_pretrained` opens it.

    Args:
        artifact: An ensemble artifact or a saved backbone.
        folder: To write; a former export there is replaced, nothing else is.
        metrics: The pipeline's flat metrics, for the card.

    Raises:
        EosfmError: The artifact cannot be used, or something else has the folder's name.
    """
    if folder.is_file() or (folder.is_dir() and not _is_ours(folder)):
        raise EosfmError(f"{folder} is there and is no former export; name a new folder")
    card = write_card(take_inventory(artifact), metrics)
    with atomic(folder) as beside:
        beside.mkdir()
        write_folder(artifact, beside)
        (beside / CARD).write_text(card)


def _is_ours(folder: Path) -> bool:
    """Whether nothing but a former export would be lost."""
    names = {file.name for file in folder.iterdir()}
    return not names or names == {CARD, CONFIG, WEIGHTS}
