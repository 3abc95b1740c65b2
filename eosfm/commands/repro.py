"""The command ``eosfm repro``."""

from typing import Annotated

import typer

from eosfm.commands.set_param import SetParam


def repro(
    targets: Annotated[
        list[str] | None,
        typer.Argument(help="Stages to run, named as for `dvc repro`; by default all."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Local worker processes; by default one per GPU, or per core."),
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Use the Dask cluster at this address instead.")
    ] = "",
    set_param: SetParam = None,
    name: Annotated[
        str, typer.Option("--name", "-n", help="Keep the run as a DVC experiment of this name.")
    ] = "",
) -> None:
    """Run the pipeline on many cores, GPUs or machines.

    The results equal those of `dvc repro`, which then finds nothing to do. With -S or -n they equal
    those of `dvc exp run`, and are kept as an experiment.
    """
    from eosfm.cluster.run import repro
    from eosfm.commands.resumed import resumed

    with resumed("stages that ended are kept, and the same command goes on"):
        repro(targets or [], workers, scheduler, set_param or [], name)
