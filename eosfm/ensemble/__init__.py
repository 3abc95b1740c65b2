"""The ensemble backbone; needs torch and timm alone."""

from eosfm.ensemble.adaptation import InputSpec
from eosfm.ensemble.artifact import (
    export_artifact,
    load_artifact,
    merge,
    save_artifact,
)
from eosfm.ensemble.backbone import EosFM, randomize
from eosfm.ensemble.fusion import Fuser
from eosfm.specialist import Specialist, load_specialist, save_specialist

__all__ = [
    "EosFM",
    "Fuser",
    "InputSpec",
    "Specialist",
    "export_artifact",
    "load_artifact",
    "load_specialist",
    "merge",
    "randomize",
    "save_artifact",
    "save_specialist",
]
