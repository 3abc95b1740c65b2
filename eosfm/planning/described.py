"""What a dataset says of itself, against what a tile store can hold."""

from numbers import Real

from eosfm.core.errors import EosfmError, suggest
from eosfm.datasets.native.spec import Dataset
from eosfm.kinds import get_kind
from eosfm.tiles.manifest import DTYPES


def check_description(dataset: Dataset) -> None:
    """Refuse what a store's manifest would refuse once all is cut.

    Raises:
        EosfmError: The kind or a dtype is unknown, there is no class, or gsd is no length.
    """
    get_kind(dataset.kind)
    for dtype in (dataset.dtype, *(group.dtype for group in dataset.groups)):
        if dtype not in DTYPES:
            raise EosfmError(f"{dataset.name}: unknown dtype {dtype!r}; {suggest(dtype, DTYPES)}")
    if not dataset.classes:
        raise EosfmError(
            f"{dataset.name}: it has no classes; expected their names, or that of the quantity"
        )
    gsd = dataset.gsd
    if not isinstance(gsd, Real) or not 0 < gsd < float("inf"):
        raise EosfmError(f"{dataset.name}: gsd is {gsd!r}; expected metres of a pixel, above 0")
