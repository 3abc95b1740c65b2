"""The command ``eosfm onnx``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.core.errors import EosfmError


def onnx(
    backbone: Annotated[
        Path | None, typer.Argument(metavar="[BACKBONE]", help="A backbone saved by `EosFM.save`.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The ONNX file to write.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help="Export a whole task: its name in params.yaml, or its file."),
    ] = None,
    artifact: Annotated[
        Path | None, typer.Option(help="The task's ensemble; by default models/eosfm.pth.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Height and width in pixels; by default the task's own window, or any multiples "
            "of 32 for a backbone."
        ),
    ] = None,
) -> None:
    """Write a saved backbone or a whole task as an ONNX file.

    A task's model takes the physical values of a window and returns probabilities or values.

    Example: eosfm onnx --task sen1floods11 -o flood.onnx

    Example: eosfm onnx backbone.pth -o backbone.onnx
    """
    from eosfm.commands.fitted import task_file
    from eosfm.interop.onnx import export_onnx, export_task
    from eosfm.model import EosFM

    if backbone is not None and artifact is not None:
        raise EosfmError(
            "--artifact is for --task; a saved backbone has its encoders; leave it out"
        )
    if out is None or (backbone is None) == (task is None):
        raise EosfmError("give a BACKBONE or --task NAME, one of the two, and -o FILE.onnx")
    if task is not None:
        ensemble = artifact or Path("models/eosfm.pth")
        fitted = export_task(task_file(task), ensemble, out, size)
        bands, classes = ", ".join(fitted.bands), ", ".join(fitted.classes)
        print(f"{out}: {fitted.task} from {bands}; classes: {classes}")
    elif backbone is not None:
        opened = EosFM.load(backbone)
        export_onnx(opened, out, size)
        print(f"{out}: {', '.join(opened.selected)}")
