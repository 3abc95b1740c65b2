"""Everything that can be wrong with an ensemble artifact, all at once."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import STATE_KEY, Entry, parse_entry, read_entries
from eosfm.nn.specialist import Specialist, check_weights


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
    faults += _repeated([one.name for one in specialists])
    for one in specialists:
        faults += _of_weights(one) + _of_statistics(one)
    return faults or _of_fusion(entries, path)


def _repeated(names: Sequence[str]) -> list[str]:
    return [
        f"{names.count(name)} specialists are named {name!r}; rename all but one"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]


def _of_weights(one: Specialist) -> list[str]:
    try:
        check_weights(one.name, one.backbone, one.in_chans, one.state_dict)
    except EosfmError as error:
        line = str(error)
        return [line if repr(one.name) in line else f"{one.name}: {line}"]
    broken = {key: _not_finite(value) for key, value in one.state_dict.items()}
    broken = {key: count for key, count in broken.items() if count}
    if not broken:
        return []
    return [
        f"{one.name}: {sum(broken.values())} values of {', '.join(list(broken)[:3])}"
        f"{' and more' if len(broken) > 3 else ''} are NaN or infinite; train it again"
    ]


def _not_finite(value: Tensor) -> int:
    return int((~value.isfinite()).sum())


def _of_statistics(one: Specialist) -> list[str]:
    faults = []
    for key in ("mean", "std"):
        values = getattr(one, key)
        if values is not None and not all(abs(value) < float("inf") for value in values):
            faults.append(f"{one.name}: {key} is {list(values)}; expected finite numbers")
    if one.std is not None and any(value <= 0 for value in one.std):
        faults.append(f"{one.name}: std is {list(one.std)}; expected numbers above 0")
    if (one.mean is None) != (one.std is None):
        faults.append(f"{one.name}: only one of mean and std is given; give both or neither")
    return faults


def _of_fusion(entries: Sequence[Entry], path: Path | str) -> list[str]:
    if STATE_KEY not in entries[0][2]:
        return []
    from eosfm.model import EosFM

    try:
        EosFM.load(path)
    except EosfmError as error:
        return [f"the saved fusion does not open: {error}"]
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        # What torch and Python say of settings or weights that are not a fusion's.
        reason = str(error).strip().splitlines()[0]
        return [f"the saved fusion does not open ({type(error).__name__}: {reason}); save it again"]
    return []
