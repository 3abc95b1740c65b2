"""The command ``eosfm export``."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    artifact: Annotated[Path, typer.Argument(help="An ensemble artifact or a saved backbone.")],
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    metrics: Annotated[
        Path | None, typer.Option(help="The pipeline's metrics.json, for the energy on the card.")
    ] = None,
) -> None:
    """Write an artifact as a Hugging Face folder.

    The folder holds model.safetensors, config.json and a model card.
    EosFM.from_pretrained(FOLDER) opens it; `hf upload USER/NAME FOLDER` publishes it.

    Example: eosfm export models/eosfm.pth hub --metrics metrics.json
    """
    from eosfm.core.errors import EosfmError
    from eosfm.core.files import read_json
    from eosfm.interop.hub import export_folder

    told = {} if metrics is None else read_json(metrics)
    if not (isinstance(told, dict) and all(isinstance(one, int | float) for one in told.values())):
        raise EosfmError(
            f"{metrics} has more than a number for each key; expected the pipeline's metrics.json; "
            "give that"
        )
    export_folder(artifact, folder, told)
    print(f"{folder} holds {artifact} and its card, {folder / 'README.md'}; read it before you "
          f"publish it with `hf upload USER/NAME {folder}`")  # fmt: skip
