"""Serves evaluation until it asks the objects, and goes then."""

from eosfm.kinds import IMAGE_KINDS, PIXEL_KINDS, build_head
from eosfm.nn.decoders import PhysicalUnits, resize

__all__ = ["IMAGE_KINDS", "PIXEL_KINDS", "PhysicalUnits", "build_head", "resize"]
