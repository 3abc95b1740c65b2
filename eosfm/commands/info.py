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
    """Show what an ensemble artifact holds, or a fitted task's inputs and outputs.

    Lists specialists, bands, scores, licences of the training data, and hashes.

    Example: eosfm info models/eosfm.pth
    """
    from eosfm.core.loading import loading

    with loading():
        from eosfm.artifacts.inventory import list_entries
        from eosfm.artifacts.tables import show_inventory, show_json
        from eosfm.core import tensors
        from eosfm.encoding.artifact import check_entries

        content = tensors.read(artifact, mapped=True)
    if isinstance(content, dict):
        _tell_fitted(artifact, as_json)
        return
    inventory = list_entries(check_entries(content, artifact), artifact)
    if as_json:
        show_json(inventory)
    else:
        show_inventory(inventory)


def _tell_fitted(path: Path, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from eosfm.artifacts.inventory import list_entries
    from eosfm.artifacts.tables import show_inventory
    from eosfm.encoding.artifact import check_entries
    from eosfm.evaluation.fitted import read_fitted
    from eosfm.prediction.facts import describe, facts

    fitted = read_fitted(path)
    entries = list(fitted.ensemble)
    within = list_entries(check_entries(entries, path), path) if entries else None
    if as_json:
        ensemble = asdict(within) if within else None
        print(json.dumps(facts(fitted) | {"ensemble": ensemble}, indent=1, default=str))
        return
    print("\n".join(describe(path, fitted)))
    if within:
        print()
        show_inventory(within)
