"""The specialists' timm models, run side by side.

What made it faster than one call per input, and what did not, is in ``benchmarks/README.md``:
one call per specialist, one core per call, and a leaner response norm are kept.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from eosfm.core.parallel import run_together
from eosfm.nn.specialist import Specialist, build_model


class SpecialistModels(nn.ModuleList):
    """One timm model per specialist.

    Args:
        specialists: In the order that indices count. Their weights are taken over and not copied:
            nobody else may hold them.
        freeze: Frozen models compute without gradients and stay in evaluation mode whatever
            ``train`` says; otherwise they train like any module.

    Raises:
        EosfmError: timm does not know a backbone, or it has no pyramid of strides 4, 8, 16, 32, or
            keys or shapes of weights are not those of the backbone.
    """

    def __init__(self, specialists: Sequence[Specialist], freeze: bool = True) -> None:
        # Each takes its weights before the next is made: all are in memory once, never twice.
        super().__init__(build_model(specialist) for specialist in specialists)
        self.freeze = freeze
        if freeze:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> "SpecialistModels":
        """Set the mode; frozen models stay in evaluation mode."""
        return super().train(mode and not self.freeze)

    def channels(self, index: int) -> tuple[int, ...]:
        """Channels of one specialist's four pyramid levels, finest first."""
        return tuple(cast(Any, self[index]).feature_info.channels())

    def forward(self, images: Sequence[tuple[int, Tensor]]) -> list[list[Tensor]]:
        """Encode the adapted inputs.

        Args:
            images: (specialist's index, image) pairs; images are (B, in_chans, H, W) with H and W
                multiples of 32. A specialist may appear more than once.

        Returns:
            One pyramid per image, in their order: four maps (B, C, H/s, W/s), s in 4, 8, 16, 32.
        """
        # One call for all images of a specialist reads its weights once.
        members: dict[int, list[int]] = {}
        for position, (index, _) in enumerate(images):
            members.setdefault(index, []).append(position)
        jobs = [(i, torch.cat([images[p][1] for p in at])) for i, at in members.items()]
        pyramids: dict[int, list[Tensor]] = {}
        for at, maps in zip(members.values(), self._run_all(jobs), strict=True):
            sizes = [images[p][1].shape[0] for p in at]  # len would fix an exported batch
            parts = zip(*(level.split(sizes) for level in maps), strict=True)
            pyramids.update(zip(at, map(list, parts), strict=True))
        return [pyramids[position] for position in range(len(images))]

    def _run_all(self, jobs: list[tuple[int, Tensor]]) -> list[list[Tensor]]:
        tracing = torch.compiler.is_compiling() or torch.jit.is_tracing()
        on_cpu = all(image.device.type == "cpu" for _, image in jobs)
        if tracing or not (self.freeze and on_cpu):
            return [self._run(job) for job in jobs]
        # The maps are too small to share among cores: each core takes whole models instead.
        autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def work(job: tuple[int, Tensor]) -> list[Tensor]:
            with torch.autocast("cpu", dtype=dtype, enabled=autocast):
                return self._run(job)

        return run_together([partial(work, job) for job in jobs])

    def _run(self, job: tuple[int, Tensor]) -> list[Tensor]:
        index, image = job
        model: Any = self[index]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze):
            maps = model(image)
        if model.output_fmt == "NHWC":
            maps = [level.permute(0, 3, 1, 2).contiguous() for level in maps]
        return list(maps)
