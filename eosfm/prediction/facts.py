"""Describes a fitted task from its file alone."""

from pathlib import Path
from typing import Any

from eosfm.core.bands import UNITS
from eosfm.evaluation.fitted import FittedTask

HELD = ("weights", "ensemble")
"""Fields too large to print."""


def facts(fitted: FittedTask) -> dict[str, Any]:
    """The fields of a :class:`FittedTask` by name, without weights."""
    return {key: value for key, value in vars(fitted).items() if key not in HELD}


def describe(path: Path, fitted: FittedTask) -> list[str]:
    """Lines for the user: a task's inputs, outputs, scores and specialists."""
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
