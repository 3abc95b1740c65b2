"""The ensemble backbone; needs torch and timm alone."""

from eosfm.ensemble.adaptation import InputSpec
from eosfm.ensemble.artifact import (
    Specialist,
    export_artifact,
    load_artifact,
    load_specialist,
    merge,
    save_artifact,
)
from eosfm.ensemble.backbone import EosFM, randomize
from eosfm.ensemble.fusion import Fuser

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
]
