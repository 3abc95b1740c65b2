"""What datasets exist: the visible table. One file per dataset beside this one."""

from eosfm.catalog.ai4smallfarms import DATASET as AI4SMALLFARMS
from eosfm.catalog.bigearthnet import DATASET as BIGEARTHNET
from eosfm.catalog.biomassters import DATASET as BIOMASSTERS
from eosfm.catalog.caffe import DATASET as CAFFE
from eosfm.catalog.cloud_cover import DATASET as CLOUD_COVER
from eosfm.catalog.crop_type_south_sudan import DATASET as CROP_TYPE_SOUTH_SUDAN
from eosfm.catalog.deepglobe_lcc import DATASET as DEEPGLOBE_LCC
from eosfm.catalog.dfc2022 import DATASET as DFC2022
from eosfm.catalog.dior import DATASET as DIOR
from eosfm.catalog.dynamic_earthnet import DATASET as DYNAMIC_EARTHNET
from eosfm.catalog.etci2021 import DATASET as ETCI2021
from eosfm.catalog.eurosat import DATASET as EUROSAT
from eosfm.catalog.firerisk import DATASET as FIRERISK
from eosfm.catalog.five_billion_pixels import DATASET as FIVE_BILLION_PIXELS
from eosfm.catalog.hls_burn_scars import DATASET as HLS_BURN_SCARS
from eosfm.catalog.inria_aerial import DATASET as INRIA_AERIAL
from eosfm.catalog.kenya_croptype import DATASET as KENYA_CROPTYPE
from eosfm.catalog.landcoverai import DATASET as LANDCOVERAI
from eosfm.catalog.levircdplus import DATASET as LEVIRCDPLUS
from eosfm.catalog.loveda import DATASET as LOVEDA
from eosfm.catalog.mados import DATASET as MADOS
from eosfm.catalog.minifrance import DATASET as MINIFRANCE
from eosfm.catalog.opencanopy import DATASET as OPENCANOPY
from eosfm.catalog.oscd import DATASET as OSCD
from eosfm.catalog.pastis import DATASET as PASTIS
from eosfm.catalog.potsdam import DATASET as POTSDAM
from eosfm.catalog.sen1floods11 import DATASET as SEN1FLOODS11
from eosfm.catalog.sen12ms import DATASET as SEN12MS
from eosfm.catalog.spacenet7 import DATASET as SPACENET7
from eosfm.catalog.spacenet7_change import DATASET as SPACENET7_CHANGE
from eosfm.catalog.spec import Dataset
from eosfm.catalog.xview2 import DATASET as XVIEW2
from eosfm.errors import EosfmError, suggest


def table(*datasets: Dataset) -> dict[str, Dataset]:
    """Datasets by name.

    Raises:
        EosfmError: Two have the same name.
    """
    by_name: dict[str, Dataset] = {}
    for dataset in datasets:
        if dataset.name in by_name:
            raise EosfmError(
                f"{by_name[dataset.name].title} and {dataset.title} are both named "
                f"{dataset.name!r}; expected one dataset per name; rename one"
            )
        by_name[dataset.name] = dataset
    return by_name


DATASETS = table(
    EUROSAT,
    SEN12MS,
    BIGEARTHNET,
    ETCI2021,
    POTSDAM,
    LEVIRCDPLUS,
    OPENCANOPY,
    SEN1FLOODS11,
    LOVEDA,
    DEEPGLOBE_LCC,
    DFC2022,
    FIRERISK,
    INRIA_AERIAL,
    LANDCOVERAI,
    MINIFRANCE,
    CAFFE,
    CLOUD_COVER,
    DIOR,
    KENYA_CROPTYPE,
    OSCD,
    CROP_TYPE_SOUTH_SUDAN,
    DYNAMIC_EARTHNET,
    PASTIS,
    HLS_BURN_SCARS,
    MADOS,
    AI4SMALLFARMS,
    BIOMASSTERS,
    XVIEW2,
    SPACENET7,
    SPACENET7_CHANGE,
    FIVE_BILLION_PIXELS,
)
"""Every dataset that params.yaml may name."""


def get_dataset(name: str) -> Dataset:
    """Look a dataset up by name.

    Raises:
        EosfmError: There is none of that name.
    """
    if name not in DATASETS:
        raise EosfmError(f"unknown dataset {name!r}; {suggest(name, list(DATASETS))}")
    return DATASETS[name]
