"""The command ``eosfm plan``."""

from pathlib import Path
from typing import Annotated

import typer

from eosfm.commands.set_param import SetParam


def plan(
    gpu: Annotated[str, typer.Option(help="The GPU to estimate hours for, or cpu.")] = "h100",
    images_per_second: Annotated[
        float | None, typer.Option(help="Measured speed of one encoder, in images of 224 px.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="mini or full; by default the scale of params.yaml.")
    ] = None,
    set_param: SetParam = None,
    everything: Annotated[bool, typer.Option("--all", help="Count finished stages too.")] = False,
    items: Annotated[
        bool, typer.Option("--items", help="Show every dataset, specialist and task.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the plan between the marks of this Markdown file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate what a run needs, before it starts.

    Shows images, gigabytes, memory, GPU-hours and energy, stage by stage. With another --scale, or
    -S, finished stages count too.
    """
    import json

    from eosfm.core.errors import EosfmError
    from eosfm.planning.document import write_plan
    from eosfm.planning.hardware import find_gpu
    from eosfm.planning.plan import at_scale, make_plan
    from eosfm.planning.settings import load_set
    from eosfm.planning.show import show_plan
    from eosfm.planning.status import stages_to_run
    from eosfm.planning.stores import planned_stores

    if write is not None and (as_json or items):
        raise EosfmError("--write makes a page, and --json or --items shows; give one of the two")
    params = load_set(Path("params.yaml"), set_param or [])
    other = bool(set_param) or (scale is not None and scale != params.scale)
    if scale is not None:
        params = at_scale(params, scale)
    to_run = None if everything or other else stages_to_run(Path())
    planned = make_plan(params, find_gpu(gpu, images_per_second), to_run)
    if write is not None:
        write_plan(write, planned, list(planned_stores(params).values()))
    elif as_json:
        print(json.dumps(planned.as_dict(), indent=1))
    else:
        show_plan(planned, items)
