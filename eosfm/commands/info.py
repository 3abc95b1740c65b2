"""``eosfm info``."""

from pathlib import Path
from typing import Annotated

import typer


def info(
    artifact: Annotated[Path, typer.Argument(help="An ensemble artifact or a saved backbone.")],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: all facts.")] = False,
) -> None:
    """Tell what is in an ensemble artifact.

    Specialists, bands, scores, licences of the training data, hashes.

    Example: eosfm info models/eosfm.pth
    """
    from eosfm.core.loading import loading

    with loading():
        from eosfm.artifacts.inventory import take_inventory
        from eosfm.artifacts.tables import show_inventory, show_json

        inventory = take_inventory(artifact)
    if as_json:
        show_json(inventory)
    else:
        show_inventory(inventory)
