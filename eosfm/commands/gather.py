"""``eosfm gather``."""

from pathlib import Path
from typing import Annotated

import typer


def gather(
    folder: Annotated[Path, typer.Argument(help="Checkpoints in it, and in its folders.")],
    out: Annotated[Path, typer.Argument(help="The artifact to write.")],
    backbone: Annotated[
        str | None,
        typer.Option(help="timm's name of the encoder; by default found by the weights."),
    ] = None,
) -> None:
    """Gather Lightning checkpoints into an artifact.

    Those of the published system, for one.

    Example: eosfm gather checkpoints published.pth
    """
    from eosfm.encoding.artifact import save_artifact
    from eosfm.encoding.checkpoints import import_checkpoints

    specialists = import_checkpoints(folder, backbone)
    save_artifact(out, specialists)
    for specialist in specialists:
        print(f"{specialist.name}: {specialist.backbone}, {specialist.in_chans} channels")
    print(f"{len(specialists)} specialists in {out}")
