"""The processes that share the fits of one stage, each with a GPU of its own (data parallel).

Lightning starts them: each runs the stage's script from its beginning, and all take the same steps
in the same order. Each has its part of every batch, and gradients are averaged (torch's DDP), so
weights are equal in all. What rounding could decide otherwise, such as a choice of specialists, the
first process computes for all (:func:`from_first`). It alone writes: the others end where it goes
on alone (:func:`go_on_alone`).

In a stage of one process, none of these functions does anything.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import chain, zip_longest
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn

from eosfm.core.errors import EosfmError
from eosfm.features.device import device

T = TypeVar("T")
Items = TypeVar("Items", np.ndarray, list[Any])

WAIT = timedelta(days=1)
"""Longest time that processes wait for the first, which encodes and selects for all of them. One
that died is noticed within seconds all the same."""

_NOTHING = object()


def start(count: int, what: str) -> None:
    """Become one of ``count`` processes; the first one starts the others.

    Args:
        count: One needs nothing.
        what: The key that asks for them, for the error.

    Raises:
        EosfmError: There are GPUs, but fewer than that.
    """
    if count == 1:
        return
    seen = torch.cuda.device_count()
    if 0 < seen < count:
        raise EosfmError(
            f"{what} is {count}, and torch sees {seen} GPU{'s' * (seen > 1)}; lower it"
        )
    # These take as long to load as torch, and one process needs none of them.
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment
    from lightning.fabric.strategies import DDPStrategy

    for name in ("lightning.fabric", "lightning.pytorch"):  # whose import sets other levels
        logging.getLogger(name).setLevel(logging.WARNING)
    fabric = Fabric(
        accelerator=device().type,
        devices=count,
        strategy=DDPStrategy(timeout=WAIT),
        # DVC starts one process, so ignore the environment of a batch system such as SLURM.
        plugins=[LightningEnvironment()],
    )
    fabric.launch()


def count() -> int:
    """How many processes share this stage."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def share(items: Items) -> Items:
    """What this process does of some items: with n processes every n-th."""
    return items[distributed.get_rank() :: count()] if count() > 1 else items


def from_first(make: Callable[[], T]) -> T:
    """Let the first process compute a value, and give it to all."""
    if count() == 1:
        return make()
    box = [make() if is_first() else None]
    distributed.broadcast_object_list(box)
    return box[0]  # type: ignore[return-value]


def together(parts: Sequence[T]) -> list[T]:
    """The results of all processes, in the order of the items that they had shared."""
    if count() == 1:
        return list(parts)
    everyone: list[list[T]] = [[] for _ in range(count())]
    distributed.all_gather_object(everyone, list(parts))
    rounds = chain.from_iterable(zip_longest(*everyone, fillvalue=_NOTHING))
    return [part for part in rounds if part is not _NOTHING]  # type: ignore[misc]


def whole_batch(own: Tensor) -> Tensor:
    """The rows of a batch that all processes have; gradients flow to those of this one.

    A loss of the whole batch is that of one process, also where tiles differ in labelled pixels or
    in the weights of their classes. Its gradient lacks what flows to the other rows, which those
    processes add: :func:`data_parallel` takes the mean, so multiply the loss by :func:`count`.
    """
    if count() == 1:
        return own
    parts = [own.new_empty(own.shape) for _ in range(count())]
    distributed.all_gather(parts, own.detach().contiguous())
    parts[distributed.get_rank()] = own
    return torch.cat(parts)


def data_parallel(model: nn.Module) -> nn.Module:
    """A model whose gradients, once computed, are those of all processes, averaged.

    On GPUs, batch norms that learn use statistics of the whole batch; torch cannot on CPUs.
    """
    if count() == 1:
        return model
    where = next(model.parameters()).device
    if where.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return nn.parallel.DistributedDataParallel(
        model,
        device_ids=[where] if where.type == "cuda" else None,
        static_graph=True,  # what gets no gradient, as scores of `published_topk`, never gets one
    )


def go_on_alone() -> None:
    """Leave the other processes, which end here.

    Raises:
        SystemExit: With status 0, in every process but the first.
    """
    if not distributed.is_initialized():
        return
    first = is_first()
    distributed.barrier()
    distributed.destroy_process_group()
    if not first:
        raise SystemExit(0)
