"""The command ``eosfm use``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.core.errors import EosfmError


def use(
    file: Annotated[
        Path | None, typer.Argument(help="An artifact, also one of the published code.")
    ] = None,
    built: Annotated[bool, typer.Option("--built", help="Go back to the pipeline's own.")] = False,
) -> None:
    """Make the pipeline use an existing artifact.

    `dvc repro evaluate@TASK` then scores it without training specialists.

    Example: eosfm use gathered.pth

    Example: eosfm use --built
    """
    from eosfm.artifacts.use import use_built, use_file

    if built == (file is not None):
        raise EosfmError("give a FILE to use, or --built to go back; one of the two")
    if not Path("dvc.yaml").is_file():
        raise EosfmError(f"{Path.cwd()} has no dvc.yaml; run in the project's folder")
    print(use_built() if file is None else use_file(file))
