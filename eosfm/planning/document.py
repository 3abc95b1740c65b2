"""The plan in ``docs/full-scale.md``: ``eosfm plan --scale full --write docs/full-scale.md``."""

from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.planning.plan import Plan
from eosfm.planning.stores import PlannedStore
from eosfm.planning.tables import assumptions, dataset_rows, stage_rows
from eosfm.report.tables import markdown

BEGIN = "<!-- plan: written by `eosfm plan --write` -->"
END = "<!-- end of plan -->"

LINE_MB_S = 100
"""What a line of 1 Gbit/s brings in a second, MB."""

CUT_MB_S = 100
"""Tiles that one core cuts in a second, MB; benchmarks/README.md has the rates of formats."""


def write_plan(path: Path, plan: Plan, stores: list[PlannedStore]) -> None:
    """Replace what stands between the two marks of a document.

    Raises:
        EosfmError: The document or a mark is missing.
    """
    if not path.is_file():
        raise EosfmError(f"{path} is no file; expected a document with the marks of a plan")
    text = path.read_text()
    if BEGIN not in text or END not in text:
        raise EosfmError(f"{path} lacks {BEGIN!r} or {END!r}; put both marks in")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    section = plan_section(plan, stores)
    with atomic(path) as beside:
        beside.write_text(f"{before}{BEGIN}\n\n{section}\n\n{END}{after}")


def plan_section(plan: Plan, stores: list[PlannedStore]) -> str:
    """What to fetch and how large it becomes, then how long each stage takes."""
    work = plan.work()
    downloading = 1000 * work.archives_gb / LINE_MB_S / 3600
    cutting = 1000 * work.tiles_gb / CUT_MB_S / 3600
    total = (
        f"At {LINE_MB_S} MB/s (a line of 1 Gbit/s) the downloads take {downloading:.0f} hours; at "
        f"{CUT_MB_S} MB/s of tiles on one core cutting takes {cutting:.0f} hours, on several cores "
        f"as much less. Then {plan.hours(work):.0f} hours on one {plan.gpu.name} and "
        f"{plan.kwh(work):.0f} kWh."
    )
    return "\n\n".join(
        [
            "Datasets, in the order of params.yaml:",
            markdown(dataset_rows(stores)),
            f"Stages at scale {plan.scale}:",
            markdown(stage_rows(plan)),
            total,
            "\n".join(f"- {line}" for line in assumptions(plan)),
        ]
    )
