"""The command ``eosfm info``."""

from pathlib import Path
from typing import Annotated

import typer


def info(
    artifact: Annotated[
        Path, typer.Argument(help="An ensemble artifact, a saved backbone, or a fitted task.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print all facts as JSON.")] = False,
) -> None:
    """Show what an ensemble artifact or a fitted task holds.

    Lists specialists, bands, scores, licences of the training data, and hashes; of a fitted task
    its inputs and outputs too.

    Example: eosfm info models/eosfm.pth
    """
    import json
    from dataclasses import asdict

    from eosfm.core.loading import loading

    with loading():
        from eosfm.artifacts.inventory import list_entries
        from eosfm.artifacts.tables import show_inventory
        from eosfm.core import tensors
        from eosfm.encoding.artifact import check_entries

        content = tensors.read(artifact, mapped=True)
    if not isinstance(content, dict):
        inventory = list_entries(check_entries(content, artifact), artifact)
        if as_json:
            print(json.dumps(asdict(inventory), indent=1, default=str))
        else:
            show_inventory(inventory)
        return

    from eosfm.evaluation.fitted import read_fitted
    from eosfm.prediction.facts import describe, facts

    fitted = read_fitted(artifact)
    entries = list(fitted.ensemble)
    within = list_entries(check_entries(entries, artifact), artifact) if entries else None
    if as_json:
        ensemble = asdict(within) if within else None
        print(json.dumps(facts(fitted) | {"ensemble": ensemble}, indent=1, default=str))
        return
    print("\n".join(describe(artifact, fitted)))
    if within:
        print()
        show_inventory(within)
