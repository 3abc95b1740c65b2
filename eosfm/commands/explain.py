"""The command ``eosfm explain``."""

from pathlib import Path
from typing import Annotated

import typer


def explain(
    artifact: Annotated[Path, typer.Argument(help="An ensemble artifact.")],
    bands: Annotated[
        list[str], typer.Option(metavar="NAME...", help="The input's bands, in their order.")
    ],
    adaptation: Annotated[
        str, typer.Option(help="named: by band names; counted: by the published rules.")
    ] = "named",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every channel.")] = False,
) -> None:
    """Show which specialists can use an input with these bands.

    Also shows how its bands are mapped to theirs.

    Example: eosfm explain models/eosfm.pth --bands B04 B03 B02
    """
    import json
    import warnings

    from eosfm.model import EosFM
    from eosfm.prediction.names import parse_bands

    named = parse_bands(bands)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # skips and guesses are shown below
        backbone = EosFM.from_artifact(artifact, bands=named, adaptation=adaptation)
    if as_json:
        inputs = [spec.as_dict() for spec in backbone.inputs]
        print(json.dumps({"inputs": inputs, "skipped": backbone.skipped}, indent=1))
    else:
        print(backbone.explain())
