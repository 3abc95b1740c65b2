"""``eosfm validate``."""

from pathlib import Path
from typing import Annotated

import typer


def validate(
    artifact: Annotated[Path, typer.Argument(help="An ensemble artifact or a saved backbone.")],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: a list of faults.")] = False,
) -> None:
    """Check an ensemble artifact.

    Every fault is named in a line; exit status 1 where there is one.

    Example: eosfm validate models/eosfm.pth
    """
    import json
    import sys

    from eosfm.artifacts.faults import find_faults

    faults = find_faults(artifact)
    if as_json:
        print(json.dumps({"artifact": str(artifact), "faults": faults}, indent=1))
    else:
        for fault in faults:
            print(f"error: {' '.join(fault.split())}", file=sys.stderr)
        if not faults:
            print(f"{artifact} has no fault")
    raise typer.Exit(1 if faults else 0)
