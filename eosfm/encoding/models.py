"""The specialists' timm models, run side by side.

On the CPU one call per specialist on one core each, on a GPU one call for all of one shape; what
else was tried is in ``benchmarks/README.md``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from eosfm.core.parallel import run_together
from eosfm.nn.grouped import GroupedEncoders, groupable
from eosfm.nn.specialist import Specialist, build_model

Job = tuple[int, Tensor]
"""Index of a specialist, and its image."""
MOST_GROUPS = 4
"""Groups kept at a time, as each holds copies of the weights of its specialists."""


class SpecialistModels(nn.ModuleList):
    """One timm model per specialist.

    Args:
        specialists: Indices count in their order. Their weights are taken over without a copy, and
            must not be used elsewhere.
        freeze: Frozen models require no gradient and stay in evaluation mode whatever ``train``
            says; otherwise they train like any module. Gradients still pass through frozen ones to
            images and single parameters that require them.

    Raises:
        EosfmError: timm does not know a backbone, or it has no pyramid of strides 4, 8, 16, 32, or
            keys or shapes of weights are not those of the backbone.
    """

    def __init__(self, specialists: Sequence[Specialist], freeze: bool = True) -> None:
        # Each takes its weights before the next is made: all are in memory once, never twice.
        super().__init__(build_model(specialist) for specialist in specialists)
        self.freeze = freeze
        self._backbones = [specialist.backbone for specialist in specialists]
        self._groups: dict[tuple[int, ...], tuple[int, GroupedEncoders]] = {}
        self.register_load_state_dict_post_hook(_forget_groups)
        if freeze:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> "SpecialistModels":
        """Set the mode; frozen models stay in evaluation mode."""
        return super().train(mode and not self.freeze)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SpecialistModels":
        self.forget_groups()
        return super()._apply(fn, recurse)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_groups": {}}

    def forget_groups(self) -> None:
        """Drop copies of the weights, which would not follow a change in place."""
        self._groups.clear()

    def learn_as(self, others: Sequence[nn.Module]) -> None:
        """Let weights require gradients where those of other such models do, one per specialist."""
        for own, other in zip(self, others, strict=True):
            for weight, theirs in zip(own.parameters(), other.parameters(), strict=True):
                weight.requires_grad_(theirs.requires_grad)

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
        for at, maps in zip(members.values(), self._way(jobs)(jobs), strict=True):
            sizes = [images[p][1].shape[0] for p in at]  # len would fix an exported batch
            parts = zip(*(level.split(sizes) for level in maps), strict=True)
            pyramids.update(zip(at, map(list, parts), strict=True))
        return [pyramids[position] for position in range(len(images))]

    def run_alone(self, jobs: Sequence[Job]) -> list[list[Tensor]]:
        """Run each model on its image, one after the other."""
        return [self._run(job) for job in jobs]

    def run_together(self, jobs: Sequence[Job]) -> list[list[Tensor]]:
        """Run a model per core: the maps are too small to share among cores of the CPU."""
        autocast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

        def work(job: Job) -> list[Tensor]:
            # Modes are per thread; jobs that need gradients are run by run_alone.
            with torch.no_grad(), torch.autocast("cpu", dtype=dtype, enabled=autocast):
                return self._run(job)

        return run_together([partial(work, job) for job in jobs])

    def run_grouped(self, jobs: Sequence[Job]) -> list[list[Tensor]]:
        """Run frozen models of one backbone on images of one shape as one model."""
        alike: dict[tuple[Any, ...], list[int]] = {}
        for position, (index, image) in enumerate(jobs):
            key = (self._backbones[index], image.shape[0], *image.shape[2:])
            alike.setdefault(key, []).append(position)
        found: dict[int, list[Tensor]] = {}
        for positions in alike.values():
            some = [jobs[position] for position in positions]
            together = len(some) > 1 and groupable(self[some[0][0]])
            pyramids = self._run_group(some) if together else self.run_alone(some)
            found.update(zip(positions, pyramids, strict=True))
        return [found[position] for position in range(len(jobs))]

    def _run_group(self, jobs: Sequence[Job]) -> list[list[Tensor]]:
        models = [self[index] for index, _ in jobs]
        key, changes = tuple(index for index, _ in jobs), _changes(models)
        if key not in self._groups or self._groups[key][0] != changes:
            self._groups.pop(key, None)
            while len(self._groups) >= MOST_GROUPS:
                del self._groups[next(iter(self._groups))]
            self._groups[key] = changes, GroupedEncoders(models)
        with torch.no_grad():
            return self._groups[key][1]([image for _, image in jobs])

    def _way(self, jobs: Sequence[Job]) -> Callable[[Sequence[Job]], list[list[Tensor]]]:
        """The fastest way to run these."""
        tracing = torch.compiler.is_compiling() or torch.jit.is_tracing() or _under_torch_func()
        devices = {image.device.type for _, image in jobs}
        if tracing or not self.freeze or any(self._learns(job) for job in jobs):
            return self.run_alone
        if devices == {"cuda"}:
            return self.run_grouped
        return self.run_together if devices == {"cpu"} else self.run_alone

    def _learns(self, job: Job) -> bool:
        """Whether anything before or in the model is to have a gradient."""
        index, image = job
        return torch.is_grad_enabled() and (
            image.requires_grad
            or _under_torch_func()  # its forward mode stops where gradients are off
            or any(weight.requires_grad for weight in self[index].parameters())
        )

    def _run(self, job: Job) -> list[Tensor]:
        index, image = job
        model: Any = self[index]
        with torch.set_grad_enabled(self._learns(job)):
            return list(model(image))


def _under_torch_func() -> bool:
    """Whether vmap, jvp or the like transform what is called, in this thread alone."""
    return torch._C._are_functorch_transforms_active()


def _changes(models: Sequence[nn.Module]) -> int:
    """A number that changes with the weights, also in place (except through ``.data``)."""
    weights = (weight for model in models for weight in model.parameters())
    return hash(tuple((w.data_ptr(), 0 if w.is_inference() else w._version) for w in weights))


def _forget_groups(models: SpecialistModels, incompatible_keys: Any) -> None:
    models.forget_groups()
