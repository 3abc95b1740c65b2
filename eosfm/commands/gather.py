"""The command ``eosfm gather``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.core.errors import EosfmError


def gather(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|WEIGHTS",
            help="Folder to search for checkpoints, at any depth; or the name of torchgeo's "
            "pretrained weights, which are downloaded.",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The artifact to write.")],
    backbone: Annotated[
        str | None,
        typer.Option(
            help="timm name of the checkpoints' encoder; by default inferred from the weights."
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="Unit of the bands of torchgeo's weights, where their transforms do not tell it: "
            "dn8, for example."
        ),
    ] = None,
) -> None:
    """Gather trained encoders into an artifact.

    From Lightning checkpoints, such as those of the published system, or from torchgeo.

    Example: eosfm gather checkpoints published.pth

    Example: eosfm gather ResNet50_Weights.SENTINEL2_ALL_MOCO moco.pth
    """
    from eosfm.encoding.artifact import save_artifact
    from eosfm.encoding.checkpoints import import_checkpoints

    if "_Weights." in source and not Path(source).exists():
        from eosfm.interop.torchgeo import specialist

        if backbone is not None:
            raise EosfmError(f"--backbone is {backbone}, but {source} says it; leave it out")
        specialists = [specialist(source, unit=unit)]
    elif unit is not None:
        raise EosfmError(f"--unit is {unit}, but checkpoints say theirs; leave it out")
    else:
        specialists = import_checkpoints(source, backbone)
    save_artifact(out, specialists)
    for one in specialists:
        print(f"{one.name}: {one.backbone}, {one.in_chans} channels")
    print(f"{len(specialists)} specialist{'s' * (len(specialists) != 1)} in {out}")
