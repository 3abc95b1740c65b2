"""How fast GPUs are, and what they draw: what turns work into hours and kilowatt-hours.

Speeds are for half precision, on the careful side. ConvNeXt V2 waits for memory more than for
arithmetic, so that a speed measured on one GPU tells that of another by the bandwidth of their
memories. Measured on an RTX 4090 (1,008 GB/s), by timm's authors (pytorch-image-models,
``results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv``): ``convnextv2_atto`` 6,745 images
of 224 px a second; networks of dense 3x3 convolutions 27 to 36 tera-MAC a second (RepVGG-A1, -A2,
ResNet-18). Measured on an H100 SXM, by ``benchmarks/backbone speeds`` and ``forms``: one encoder
alone 9,761 images of 224 px a second, 24 side by side 13,232; UPerNet of 512 channels 110 tera-MAC
a second forward and 135 in training, of which there is most, one of 128 channels 34 and 41.
"""

from dataclasses import dataclass, replace
from math import inf

from eosfm.core.errors import EosfmError, suggest

REFERENCE = "convnextv2_atto"
"""The encoder that GPU speeds refer to."""

REFERENCE_SIZE = 224
"""Height and width of its images in pixels."""


HOST_WATTS = 100.0
"""Processor and memory beside one GPU: loaders on eight cores of a server (70 W) and 64 GB (25 W,
at CodeCarbon's 3 W for 8 GB)."""


@dataclass(frozen=True)
class Gpu:
    """A GPU's speed and power.

    Attributes:
        name: For people.
        images_per_second: Of 224 x 224 pixels through one ``convnextv2_atto``, forward.
        head_tmacs: Tera multiply-accumulates a second in heads of 512 channels, which are dense
            convolutions.
        narrow: Share of that in heads of 128 channels, as an H100 has it, or less.
        watts: Power limit of the board, by its maker's data sheet.
        source: Where the speeds are from.
        host_watts: What the machine around it draws.
        grouped: Speed-up of several encoders in one grouped call (``eosfm/nn/grouped.py``).
    """

    name: str
    images_per_second: float
    head_tmacs: float
    watts: float
    source: str
    host_watts: float = HOST_WATTS
    grouped: float = 1.0
    narrow: float = 0.32

    def head_speed(self, width: int) -> float:
        """Multiply-accumulates a second in heads of some channels, linear between the two."""
        share = self.narrow + (1 - self.narrow) * (width - 128) / (512 - 128)
        return self.head_tmacs * 1e12 * min(1.0, max(self.narrow, share))


GPUS = {
    "h100": Gpu(
        "H100 SXM", 9_700, 120, 700, "measured, see eosfm/planning/hardware.py", grouped=1.35,
    ),
    "h100-pcie": Gpu(
        "H100 PCIe", 8_000, 50, 350,
        "RTX 4090, measured, times 1.2 and 1.4; its memory is 2.0 times as fast (2,000 GB/s)",
    ),
    "h200": Gpu("H200 SXM", 9_700, 120, 700, "as the H100 SXM, whose chip it has", grouped=1.35),
    "a100": Gpu(
        "A100 SXM 80 GB", 8_000, 45, 400,
        "RTX 4090, measured, times 1.2 and 1.25; its memory is 2.0 times as fast (2,039 GB/s)",
    ),
    "rtx4090": Gpu("GeForce RTX 4090", 6_700, 30, 450, "measured, see eosfm/planning/hardware.py"),
    "cpu": Gpu(
        "two cores of a CPU", 50, 0.045, 27,
        "in single precision, from times and energy of the mini run in benchmarks/README.md", 0,
        narrow=1.0,  # measured with the heads of mini, which are narrower
    ),
}  # fmt: skip
"""By the name that ``--gpu`` takes. Power limits: NVIDIA's data sheets of these boards."""

OPERATION_S = 11e-6
"""Seconds that Python and torch take to call one operator, whatever its size: 9 to 12 microseconds
on a server with an H100. Batches of few small images wait for it."""

DRAW = 0.75
"""Share of its power limit that a GPU draws on average, on the careful side: an H100 drew 0.3 to
0.76 while it encoded and trained, and waits for loaders besides."""


def find_gpu(name: str, images_per_second: float | None = None) -> Gpu:
    """A GPU of the table, with another speed of the encoder where one is given.

    Heads are then as much faster or slower as the encoder.

    Raises:
        EosfmError: The table has none of that name, or the speed is not above 0.
    """
    if name not in GPUS:
        raise EosfmError(f"the plan knows no GPU {name!r}; {suggest(name, list(GPUS))}")
    gpu = GPUS[name]
    if images_per_second is None:
        return gpu
    if not 0 < images_per_second < inf:
        raise EosfmError(
            f"--images-per-second is {images_per_second:g}; expected a number above 0; give what "
            f"one {REFERENCE} encodes of {REFERENCE_SIZE} px on your machine"
        )
    faster = images_per_second / gpu.images_per_second
    return replace(
        gpu, images_per_second=images_per_second, head_tmacs=gpu.head_tmacs * faster,
        source="given with --images-per-second",
    )  # fmt: skip


def kwh(gpu: Gpu, hours: float) -> float:
    """Energy of so many hours of one GPU and the host beside it."""
    return hours * (DRAW * gpu.watts + gpu.host_watts) / 1000
