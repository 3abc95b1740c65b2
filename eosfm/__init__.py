"""EoS-FM: an ensemble of small specialist encoders as one Earth-observation backbone.

``from eosfm import EosFM`` needs torch and timm only; it is imported on first use so that
the pipeline's stages that touch no model start without torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eosfm.interop.scaling import statistics
    from eosfm.model import EosFM

__all__ = ["EosFM", "statistics"]


def __getattr__(name: str) -> Any:
    if name == "EosFM":
        from eosfm.model import EosFM

        return EosFM
    if name == "statistics":
        from eosfm.interop.scaling import statistics

        return statistics
    raise AttributeError(f"module 'eosfm' has no attribute {name!r}")
