"""The command ``eosfm prune``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.core.errors import EosfmError


def prune(
    artifact: Annotated[Path, typer.Argument(help="An ensemble artifact.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The artifact to write.")],
    keep: Annotated[
        list[str] | None, typer.Option(metavar="NAME...", help="Specialists to keep.")
    ] = None,
    from_task: Annotated[
        Path | None, typer.Option(help="metrics.json of a task: keep the specialists it selected.")
    ] = None,
) -> None:
    """Write an artifact with some of the specialists of another.

    Their order and tensors do not change.

    Example: eosfm prune models/eosfm.pth -o rgb.pth --keep eurosat_rgb loveda

    Example: eosfm prune models/eosfm.pth -o flood.pth --from-task
    results/evaluate/sen1floods11/metrics.json
    """
    from eosfm.artifacts.regroup import prune_artifact, selected_by

    if (keep is None) == (from_task is None):
        raise EosfmError("give --keep NAME... or --from-task FILE; one of the two")
    names = keep if keep is not None else selected_by(from_task) if from_task else []
    print(prune_artifact(artifact, names, out))
