"""The option ``-S`` of several commands, as in ``dvc exp run``."""

from typing import Annotated

import typer

SetParam = Annotated[
    list[str] | None,
    typer.Option(
        "--set-param",
        "-S",
        metavar="KEY=VALUE",
        help="Set a parameter first, as `dvc exp run -S` does.",
    ),
]
