"""What is in the file of a fitted task, for those who have nothing else of it."""

import json
from dataclasses import asdict
from pathlib import Path

from eosfm.artifacts.inventory import Inventory, list_entries
from eosfm.artifacts.tables import show_inventory
from eosfm.core.bands import UNITS
from eosfm.encoding.artifact import check_entries
from eosfm.evaluation.fitted import FittedTask, read_fitted

HELD = ("weights", "ensemble")
"""What is too large to be shown."""


def show_fitted(path: Path, as_json: bool = False) -> None:
    """Print what a task takes, what it answers, how good it was, and what it is made of.

    Args:
        path: The file, of stage evaluate or of ``eosfm bundle``.
        as_json: Whether to print all facts as JSON.

    Raises:
        EosfmError: It is damaged, of another format, or holds nothing fitted.
    """
    fitted = read_fitted(path)
    entries = list(fitted.ensemble)
    within = list_entries(check_entries(entries, path), path) if entries else None
    if as_json:
        print(json.dumps(_facts(fitted, within), indent=1, default=str))
        return
    print("\n".join(_lines(path, fitted)))
    if within:
        print()
        show_inventory(within)


def _facts(fitted: FittedTask, within: Inventory | None) -> dict[str, object]:
    facts = {key: value for key, value in vars(fitted).items() if key not in HELD}
    return facts | {"ensemble": asdict(within) if within else None}


def _lines(path: Path, fitted: FittedTask) -> list[str]:
    units = dict.fromkeys(fitted.units)
    bands = {unit: [b for b, u in zip(fitted.bands, fitted.units, strict=True) if u == unit]
             for unit in units}  # fmt: skip
    scores = ", ".join(
        f"{scored[fitted.metric]:.3f} on {split} data"
        for split, scored in (("validation", fitted.val), ("test", fitted.test))
        if fitted.metric in scored
    )
    unit = f" in {fitted.target_unit}" if fitted.target_unit else ""
    height, width = fitted.window
    where = "in this file" if fitted.ensemble else f"in the artifact of SHA-256 {fitted.artifact}"
    return [
        f"{path}: task {fitted.task} ({fitted.kind}), fitted on {fitted.dataset}, "
        + {"archive": "published data", "root": "a user's data"}.get(fitted.source, "simulated"),
        *(f"  takes    {' '.join(names)}: {UNITS.get(unit, unit)}"
          for unit, names in bands.items()),
        f"           {fitted.dates} {'dates' if fitted.dates > 1 else 'date'}, "
        f"pixels of {fitted.gsd:g} m, windows of {height} x {width} px",
        f"  answers  {', '.join(fitted.classes)}{unit}",
        f"  scored   {fitted.metric} {scores}",
        f"  uses     {', '.join(fitted.specialists)}",
        f"           {where}",
    ]  # fmt: skip
