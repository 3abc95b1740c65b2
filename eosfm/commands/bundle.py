"""The command ``eosfm bundle``."""

from pathlib import Path
from typing import Annotated

import typer


def bundle(
    task: Annotated[
        str, typer.Argument(help="A task of params.yaml, or its file from models/tasks.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .pt file to write.")],
    artifact: Annotated[Path, typer.Option(help="Ensemble that the task was fitted on.")] = Path(
        "models/eosfm.pth"
    ),
) -> None:
    """Write a task's best fit and its specialists as one file.

    With --task FILE, predict and onnx then need no ensemble.

    Example: eosfm bundle sen1floods11 -o flood.pt
    """
    from eosfm.commands.fitted import task_file
    from eosfm.core.errors import EosfmError
    from eosfm.prediction.bundle import bundle as run

    if out.suffix != ".pt":
        raise EosfmError(f"-o {out} is of another format; expected a .pt")
    print(run(task_file(task), artifact, out))
