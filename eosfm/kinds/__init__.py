"""Task kinds: one object each, which knows all that differs between kinds."""

from eosfm.core.errors import EosfmError, suggest
from eosfm.kinds.change import Change
from eosfm.kinds.classification import Classification
from eosfm.kinds.detection import Detection
from eosfm.kinds.examples import Examples
from eosfm.kinds.kind import Kind
from eosfm.kinds.multilabel import Multilabel
from eosfm.kinds.regression import Regression
from eosfm.kinds.segmentation import Segmentation
from eosfm.kinds.targets import TargetStatistics

__all__ = ["KINDS", "Examples", "Kind", "TargetStatistics", "get_kind"]

KINDS: dict[str, Kind] = {
    "classification": Classification(),
    "multilabel": Multilabel(),
    "segmentation": Segmentation(),
    "change": Change(),
    "regression": Regression(),
    "detection": Detection(),
}


def get_kind(name: str) -> Kind:
    """The kind of a name.

    Raises:
        EosfmError: There is none.
    """
    if name not in KINDS:
        raise EosfmError(f"unknown task kind {name!r}; {suggest(name, list(KINDS))}")
    return KINDS[name]
