"""Recipes, which write simulated copies of datasets in their native layouts.

Real files are read without a recipe. Each recipe is a file beside this one, named like its
dataset, with ``simulate(root, simulation)``.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from eosfm.core.errors import EosfmError

if TYPE_CHECKING:
    from eosfm.simulation.recipe import Simulation

RECIPES = tuple(module.name for module in iter_modules(__path__))
"""Every dataset that can be simulated."""


def get_recipe(name: str) -> "Callable[[Path, Simulation], None]":
    """A dataset's recipe.

    Raises:
        EosfmError: The dataset cannot be simulated.
    """
    if name not in RECIPES:
        raise EosfmError(
            f"dataset {name!r} has no recipe, so it cannot be simulated; set "
            f"datasets.{name}.source=archive, or write eosfm/simulation/recipes/{name}.py"
        )
    return import_module(f"{__name__}.{name}").simulate
