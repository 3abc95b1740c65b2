"""All that is wrong with a tile store: what opening it finds, and what only its bytes tell."""

from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.tiles.store import TileStore, remedy


def find_faults(path: Path) -> list[str]:
    """Open a store and read all of its files; a line for each fault."""
    try:
        store = TileStore(path)
        sums = [sums for name in store.splits for sums in store.split(name).sums()]
    except EosfmError as error:
        return [str(error)]
    return [
        f"{file} is damaged: CRC-32 {found:08x}; expected {told:08x} by store.json; {remedy(path)}"
        for file, told, found in sums
        if told != found
    ]
