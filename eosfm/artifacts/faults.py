"""Everything that can be wrong with an ensemble artifact, all at once."""

from collections.abc import Sequence
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import STATE_KEY, Entry, parse_entry, read_entries
from eosfm.nn.faults import repeated_names, specialist_faults


def find_faults(path: Path | str) -> list[str]:
    """Check an artifact or a saved backbone.

    Its structure; that names are unique; that each backbone is one of timm's own and gives a
    pyramid; that weights have its keys and shapes; that weights and statistics are finite and no
    standard deviation is 0; and that a saved fusion opens.

    Returns:
        One line per fault; none where the file can be used.
    """
    try:
        entries = read_entries(path)
    except EosfmError as error:
        return [str(error)]
    specialists, faults = [], []
    for index, entry in enumerate(entries):
        try:
            specialists.append(parse_entry(entry, path, index))
        except EosfmError as error:
            faults.append(str(error))
    faults += repeated_names([one.name for one in specialists])
    for one in specialists:
        faults += specialist_faults(one)
    return faults or _of_fusion(entries, path)


def _of_fusion(entries: Sequence[Entry], path: Path | str) -> list[str]:
    if STATE_KEY not in entries[0][2]:
        return []
    from eosfm.model import EosFM

    try:
        EosFM.load(path)
    except EosfmError as error:
        return [str(error)]
    return []
