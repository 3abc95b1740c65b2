"""The command ``eosfm merge``."""

from pathlib import Path
from typing import Annotated

import typer


def merge(
    artifacts: Annotated[
        list[Path], typer.Argument(help="Artifacts (.pth) and specialists (.pt).")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The artifact to write.")],
    prefix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT...",
            help='Prefix of the names of each artifact: one per artifact, "" for none.',
        ),
    ] = None,
) -> None:
    """Join ensemble artifacts.

    Duplicate names are refused; --prefix renames.

    Example: eosfm merge ours.pth theirs.pth -o all.pth

    Example: eosfm merge ours.pth theirs.pth -o all.pth --prefix "" lab2_
    """
    from eosfm.artifacts.regroup import merge_artifacts

    print(merge_artifacts(artifacts, out, prefix))
