"""The command ``eosfm gather``."""

from pathlib import Path
from typing import Annotated

import typer


def gather(
    folder: Annotated[Path, typer.Argument(help="Folder to search for checkpoints, at any depth.")],
    out: Annotated[Path, typer.Argument(help="The artifact to write.")],
    backbone: Annotated[
        str | None,
        typer.Option(help="timm name of the encoder; by default inferred from the weights."),
    ] = None,
) -> None:
    """Gather Lightning checkpoints into an artifact.

    For example, those of the published system.

    Example: eosfm gather checkpoints published.pth
    """
    from eosfm.encoding.artifact import save_artifact
    from eosfm.encoding.checkpoints import import_checkpoints

    specialists = import_checkpoints(folder, backbone)
    save_artifact(out, specialists)
    for specialist in specialists:
        print(f"{specialist.name}: {specialist.backbone}, {specialist.in_chans} channels")
    print(f"{len(specialists)} specialists in {out}")
