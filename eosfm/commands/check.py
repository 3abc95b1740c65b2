"""The command ``eosfm check``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.commands.set_param import SetParam


def check(
    scale: Annotated[
        str | None, typer.Option(help="mini or full; by default the scale of params.yaml.")
    ] = None,
    set_param: SetParam = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what would stop a run, before it starts.

    Checks parameters, data, weights, disks and GPU without running anything; lists all faults.
    """
    import json

    from eosfm.planning.check import run_checks

    found = run_checks(Path(), scale, set_param or [])
    faults, notes = ([one.text for one in found if one.fault is wrong] for wrong in (True, False))
    if as_json:
        print(json.dumps({"faults": faults, "notes": notes}, indent=1))
    else:
        for text in notes:
            print(f"note: {text}")
        for text in faults:
            print(f"fault: {text}")
        counts = {"fault": len(faults), "note": len(notes)}
        print(", ".join(f"{n} {what}{'s' * (n != 1)}" for what, n in counts.items()))
    if faults:
        raise typer.Exit(1)
