"""The command ``eosfm validate``."""

from pathlib import Path
from typing import Annotated

import typer


def validate(
    path: Annotated[
        Path,
        typer.Argument(help="An artifact, a saved backbone, or a tile store."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the faults as JSON.")] = False,
) -> None:
    """Check an ensemble artifact or a tile store.

    Prints one line per fault; the exit status is 1 if there is any.

    Example: eosfm validate models/eosfm.pth
    """
    import json
    import sys

    from eosfm.core.errors import EosfmError, line_of

    if path.is_dir():
        from eosfm.tiles.faults import find_faults
    else:
        from eosfm.artifacts.faults import find_faults

    faults = find_faults(path)
    if as_json:
        print(json.dumps({"path": str(path), "faults": faults}, indent=1))
    else:
        for fault in faults:
            print(f"error: {line_of(EosfmError(fault))}", file=sys.stderr)
        if not faults:
            print(f"{path} has no fault")
    raise typer.Exit(1 if faults else 0)
