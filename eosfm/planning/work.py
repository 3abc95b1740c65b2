"""What a stage does for one item, in numbers that can be added."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from eosfm.planning.hardware import OPERATION_S, Gpu

GB = 1e9


@dataclass(frozen=True)
class Load:
    """Computing in batches of one size.

    Attributes:
        encoder_macs: Multiply-accumulates in encoders; training has its backward pass in them.
        head_macs: In fusion and heads, likewise.
        operations: Calls of torch's operators.
        grouped: Whether several encoders compute in one call.
        head_width: Channels of the heads.
    """

    encoder_macs: float = 0.0
    head_macs: float = 0.0
    operations: float = 0.0
    grouped: bool = False
    head_width: int = 512

    def seconds(self, gpu: Gpu, image_macs: float) -> float:
        """Seconds on one GPU: small batches leave it waiting for Python to call operators.

        Args:
            gpu: The GPU.
            image_macs: Of the image that its speed is told of.
        """
        speed = gpu.images_per_second * (gpu.grouped if self.grouped else 1.0)
        encoders = self.encoder_macs / (speed * image_macs)
        heads = self.head_macs / gpu.head_speed(self.head_width)
        return max(encoders + heads, self.operations * OPERATION_S)


MOST_AT_A_TIME = ("memory_gb", "scratch_gb")
"""Fields of which a sum takes the maximum, since works run one after the other."""


@dataclass(frozen=True)
class Work:
    """What some work takes.

    Attributes:
        images: Images that are read: windows of tiles at one date each.
        encoder_calls: Images through one encoder each.
        archives_gb: What is downloaded, GB (1e9 bytes).
        tiles_gb: What is written as tiles.
        features_gb: What is stored as features.
        memory_gb: Most memory at a time, of the process and its loaders; of works together the
            largest.
        scratch_gb: Peak size of scratch files, which the stage deletes; likewise.
        loads: What is computed.
    """

    images: int = 0
    encoder_calls: int = 0
    archives_gb: float = 0.0
    tiles_gb: float = 0.0
    features_gb: float = 0.0
    memory_gb: float = 0.0
    scratch_gb: float = 0.0
    loads: tuple[Load, ...] = ()

    def __add__(self, other: "Work") -> "Work":
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        most = {name: max(getattr(self, name), getattr(other, name)) for name in MOST_AT_A_TIME}
        return Work(**both | most)

    def needing(self, memory_gb: float) -> "Work":
        """The same with so much memory."""
        return replace(self, memory_gb=memory_gb)

    def hours(self, gpu: Gpu, image_macs: float) -> float:
        """Hours on one GPU (see :meth:`Load.seconds`)."""
        return sum(load.seconds(gpu, image_macs) for load in self.loads) / 3600


def total(works: Iterable[Work]) -> Work:
    """All together."""
    return sum(works, Work())
