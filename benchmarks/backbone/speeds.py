"""What turns work into time on this machine: the figures that `eosfm plan` rests on."""

import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from common import BACKBONE, Json, show
from torch import Tensor, nn

from eosfm.encoding.models import SpecialistModels
from eosfm.encoding.randomize import randomize
from eosfm.heads.decoders import UPerNetHead
from eosfm.nn.backbone import build_backbone
from eosfm.nn.pyramid import STRIDES
from eosfm.nn.specialist import Specialist
from eosfm.planning.cost import encoder_channels, encoder_cost

CLASSES = 10


def speeds(
    device: str = "cuda", scale: float = 1.0, seconds: float = 2.0, json_: Json = None
) -> None:
    """Encoder, heads and training steps of the full scale, in half precision.

    Args:
        device: Where.
        scale: Of all batches; lower for a small memory.
        seconds: How long each is repeated.
        json_: File of the figures.
    """
    work: dict[str, tuple[int, float, Callable[[], Any]]] = {}
    encoder = SpecialistModels(randomize([Specialist("one", BACKBONE, 3, {})], seed=0)).to(device)
    for size, batch in ((64, 1024), (224, 256), (224, 8)):
        batch = max(1, int(batch * scale))
        image = torch.randn(batch, 3, size, size, device=device)
        macs = encoder_cost(BACKBONE, 3, size, size).macs
        name = f"encoder, {size} px, batch of {batch}"
        work[name] = (batch, batch * macs, _forward(device, encoder, [(0, image)]))
    for width, size, batch in ((512, 520, 8), (128, 256, 64)):
        batch = max(1, int(batch * scale))
        head = UPerNetHead(encoder_channels(BACKBONE), CLASSES, width).to(device)
        maps, macs = _maps(head, size, batch, device)
        name = f"UPerNet of {width}, {size} px, batch of {batch}"
        work[name] = (batch, macs, _forward(device, head, maps, (size, size)))
        target = torch.randint(CLASSES, (batch, size, size), device=device)
        work[f"{name}, step"] = (batch, 3 * macs, _step(device, head, target, maps, (size, size)))
    batch, size = max(1, int(64 * scale)), 256
    whole = _Segmentation().to(device)
    image = torch.randn(batch, 3, size, size, device=device)
    target = torch.randint(CLASSES, (batch, size, size), device=device)
    cost = encoder_cost(BACKBONE, 3, size, size).macs * batch + _maps(whole.head, size, batch)[1]
    name = f"encoder and UPerNet of 128, {size} px, batch of {batch}, step"
    work[name] = (batch, 3 * cost, _step(device, whole, target, image))
    one = torch.zeros(1, device=device)
    work["one operator"] = (1, 0.0, lambda: one.add_(1))

    rows = []
    for name, (items, macs, action) in work.items():
        each, share = _repeat(action, seconds)
        rows.append({
            "what": name, "ms": 1000 * each, "images/s": items / each,
            "tera-MAC/s": macs / each / 1e12, "share of the power limit": share,
        })  # fmt: skip
    card = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} cores"
    show(f"Speeds in bf16 on {card}, torch {torch.__version__}", rows, json_)


class _Segmentation(nn.Module):
    """As specialists of pixel labels are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = build_backbone(BACKBONE, 3)
        self.head = UPerNetHead(encoder_channels(BACKBONE), CLASSES, 128)

    def forward(self, image: Tensor) -> Tensor:
        """(B, K, H, W) logits."""
        return self.head(self.encoder(image), (image.shape[-2], image.shape[-1]))


def _maps(head: nn.Module, size: int, batch: int, device: str = "meta") -> tuple[list[Tensor], int]:
    """An encoder's maps of a batch of images, and the multiply-accumulates of a head on them."""
    from torch.utils.flop_counter import FlopCounterMode

    cells = [-(-size // stride) for stride in STRIDES]
    shapes = [(batch, c, n, n) for c, n in zip(encoder_channels(BACKBONE), cells, strict=True)]
    empty = [torch.empty(shape, device="meta") for shape in shapes]
    bare = UPerNetHead(encoder_channels(BACKBONE), CLASSES, head.classifier.in_channels).to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        bare(empty, (size, size))
    return [torch.randn(shape, device=device) for shape in shapes], flops.get_total_flops() // 2


def _forward(device: str, module: nn.Module, *inputs: Any) -> Callable[[], Any]:
    module.eval()

    def action() -> Any:
        with torch.no_grad(), torch.autocast(device, torch.bfloat16):
            return module(*inputs)

    return action


def _step(device: str, module: nn.Module, target: Tensor, *inputs: Any) -> Callable[[], Any]:
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)

    def action() -> None:
        module.train()
        with torch.autocast(device, torch.bfloat16):
            loss = nn.functional.cross_entropy(module(*inputs).float(), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return action


def _repeat(action: Callable[[], Any], seconds: float) -> tuple[float, float]:
    """Seconds of one run, and the mean power drawn as a share of the card's limit."""
    for _ in range(3):
        action()
    _wait()
    power, done = _Power(), 0
    start = time.perf_counter()
    with power:
        while time.perf_counter() - start < seconds:
            for _ in range(10 if done else 1):
                action()
                done += 1
            _wait()
    return (time.perf_counter() - start) / done, power.share


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class _Power:
    """Samples what the first GPU draws, ten times a second."""

    def __init__(self) -> None:
        self.shares: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    @property
    def share(self) -> float:
        """Mean of the samples; 0 without a GPU."""
        return sum(self.shares) / max(1, len(self.shares))

    def __enter__(self) -> None:
        if torch.cuda.is_available():
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _sample(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(0)
        limit = pynvml.nvmlDeviceGetEnforcedPowerLimit(card)
        while not self._stop.wait(0.1):
            self.shares.append(pynvml.nvmlDeviceGetPowerUsage(card) / limit)
