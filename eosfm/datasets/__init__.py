"""What datasets exist: the visible table. One file per dataset beside this one.

A dataset is imported when it is asked for, so a stage's code is that of its own dataset.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from eosfm.core.errors import EosfmError, suggest

if TYPE_CHECKING:
    from eosfm.datasets.native.spec import Dataset

DATASETS = (
    "ai4smallfarms",
    "bigearthnet",
    "biomassters",
    "caffe",
    "cloud_cover",
    "crop_type_south_sudan",
    "deepglobe_lcc",
    "dfc2022",
    "dior",
    "dynamic_earthnet",
    "etci2021",
    "eurosat",
    "firerisk",
    "five_billion_pixels",
    "hls_burn_scars",
    "inria_aerial",
    "kenya_croptype",
    "landcoverai",
    "levircdplus",
    "loveda",
    "mados",
    "minifrance",
    "opencanopy",
    "oscd",
    "pastis",
    "potsdam",
    "sen12ms",
    "sen1floods11",
    "spacenet7",
    "spacenet7_change",
    "xview2",
)
"""Every dataset that params.yaml may name, each after its file."""


def get_dataset(name: str) -> "Dataset":
    """Look a dataset up by name.

    Raises:
        EosfmError: There is none of that name.
    """
    if name not in DATASETS:
        raise EosfmError(f"unknown dataset {name!r}; {suggest(name, DATASETS)}")
    try:
        return import_module(f"eosfm.datasets.{name}").DATASET
    except (ModuleNotFoundError, AttributeError) as error:
        if "DATASET" in str(error) or getattr(error, "name", "") == f"eosfm.datasets.{name}":
            raise EosfmError(
                f"eosfm/datasets/{name}.py has no DATASET ({error}); write it, or take {name} out "
                "of the table in eosfm/datasets/__init__.py"
            ) from None
        raise
