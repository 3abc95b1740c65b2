"""What commands print of an artifact: tables that fit a terminal."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eosfm.artifacts.inventory import Inventory, shorten_bands
from eosfm.artifacts.licences import WORDS
from eosfm.core.errors import shown

WIDTH = 100


def show_inventory(inventory: Inventory) -> None:
    """Print the tables of an artifact."""
    console = Console(highlight=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    count = len(inventory.specialists)
    console.print(
        Text(
            f"{inventory.path}: {count} specialist{'s' * (count != 1)}, "
            f"{inventory.parameters / 1e6:.2f} M parameters, {inventory.bytes / 2**20:.1f} MiB"
        )
    )
    if (fusion := inventory.fusion) is not None:
        taken = " ".join(fusion["bands"] or [f"{fusion['in_chans']} channels"])
        console.print(
            Text(f"a saved backbone: fusion {fusion['method']} of {len(fusion['specialists'])} "
                 f"specialists, takes {taken}, standardised by {fusion['standardize']}")
        )  # fmt: skip
    console.print()
    console.print(_specialists(inventory))
    if others := [
        (one.name, ", ".join(one.weights)) for one in inventory.specialists if one.weights
    ]:
        console.print()
        console.print(_table(("specialist", "trained by others"), others))
    if inventory.specialists:
        console.print()
        console.print(_licences(inventory))
    console.print()
    console.print(_hashes(inventory))


def _specialists(inventory: Inventory) -> Table:
    rows = [
        (
            one.name,
            one.dataset or "-",
            one.source or "-",
            one.kind or "-",
            shorten_bands(one.bands, one.in_chans),
            f"{one.parameters / 1e6:.2f} M",
            "-" if one.score is None else f"{one.score:.3f} {one.metric}",
        )
        for one in inventory.specialists
    ]
    heads = ("specialist", "dataset", "data", "kind", "bands", "params", "score")
    return _table(heads, rows)


def _hashes(inventory: Inventory) -> Table:
    """In full: a part of a hash can be forged."""
    rows = [(one.name, one.sha256) for one in inventory.specialists]
    return _table(("specialist", "SHA-256 of its tensors"), rows)


def _licences(inventory: Inventory) -> Table:
    rows = [
        (data.name, WORDS[data.commercial], data.licence or "not known: not of the catalogue")
        for data in inventory.datasets
    ]
    if untold := [one.name for one in inventory.specialists if not one.dataset]:
        rows.append((f"not told: {', '.join(untold)}", WORDS[None], "not in the artifact"))
    return _table(("training data", "commercial use", "licence"), rows)


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text("".join(map(shown, cell))) for cell in row))
    return table
