"""``eosfm repro``."""

from typing import Annotated

import typer


def repro(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages as of `dvc repro`; all if none.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes here; one per GPU, or per core without.")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Use the Dask cluster there instead.")
    ] = "",
) -> None:
    """Run the pipeline on many cores, GPUs or machines.

    The results are those of `dvc repro`, which has nothing to do afterwards.
    """
    from eosfm.cluster.run import repro

    repro(targets or [], workers, scheduler)
