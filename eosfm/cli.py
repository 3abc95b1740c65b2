"""How stages and tools start and end, and the ``eosfm`` command.

Import this module first, as ``import eosfm.cli``. Loading torch and its kin makes half a
million objects that live to the end of the process. Python's garbage collector would look through
them again and again while they load, and once more at the end: a third of the time that a stage
takes to start and to end.
"""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from eosfm.core.errors import EosfmError

_USUAL = gc.get_threshold()
gc.set_threshold(100_000)


def run(main: Callable[..., Any]) -> None:
    """Run a stage's or a tool's ``main`` as a command line.

    An :class:`EosfmError` is printed as one line on standard error and ends the process with
    status 1. With ``EOSFM_DEBUG=1`` the traceback is shown instead.
    """
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    _finish(app)


def main() -> None:
    """The ``eosfm`` command."""
    import typer

    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True,
        help="EoS-FM beside its pipeline, which is run by `dvc repro` and `dvc exp run`.",
    )  # fmt: skip
    app.callback()(lambda: None)  # or a lone command would lose its name

    @app.command()
    def use(
        file: Annotated[Path | None, typer.Argument(help="Of this project, or published.")] = None,
        built: Annotated[bool, typer.Option("--built", help="Go back to the pipeline's.")] = False,
    ) -> None:
        """Let the pipeline use an ensemble artifact that you have, and train nothing for it."""
        from eosfm.use import use_built, use_file

        if built == (file is not None):
            raise EosfmError("give a FILE to use, or --built to go back; one of the two")
        print(use_built() if file is None else use_file(file))

    _finish(app)


def _finish(app: Callable[[], Any]) -> None:
    """Run a command line; what is loaded by now stays."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
    try:
        app()
    except EosfmError as error:
        if os.environ.get("EOSFM_DEBUG") == "1":
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
