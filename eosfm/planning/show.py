"""The plan on a terminal."""

from rich.console import Console
from rich.table import Table

from eosfm.planning.plan import Plan
from eosfm.planning.tables import Rows, assumptions, item_rows, stage_rows

WIDTH = 1000
"""More columns than a table has: to fit fewer, names and numbers would lose their ends."""


def show_plan(plan: Plan, items: bool) -> None:
    """Print a plan: item by item if asked for, stage by stage, and what it rests on."""
    console = Console(width=WIDTH)
    if items:
        console.print(_table(item_rows(plan), ends=2))
    console.print(_table(stage_rows(plan), ends=1, title=f"scale {plan.scale}"))
    # Unbroken, as they hold commands to copy.
    for line in assumptions(plan):
        print(line)
    for name, what in plan.requests.items():
        print(f"{name}: a person must {what}")


def _table(rows: Rows, ends: int, title: str | None = None) -> Table:
    """The first columns to the left, numbers to the right."""
    header, *body = rows
    table = Table(title=title, box=None, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="left" if place < ends or name == "note" else "right")
    for row in body:
        table.add_row(*row)
    return table
