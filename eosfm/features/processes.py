"""The processes that share the fits of one stage, each with a GPU of its own (data parallel).

Lightning starts them: each runs the stage's script from its beginning, and all take the same steps
in the same order. Each has its part of every batch, and gradients are averaged (torch's DDP), so
weights are equal in all. What rounding could decide otherwise, such as a choice of specialists, the
first process computes for all (:func:`from_first`). It alone writes: the others end where it goes
on alone (:func:`go_on_alone`).

In a stage of one process, none of these functions does anything.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from itertools import chain, zip_longest
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn

from eosfm.core.errors import EosfmError
from eosfm.features.device import device
from eosfm.nn.backbone import synchronise_batch_norms

T = TypeVar("T")
Items = TypeVar("Items", np.ndarray, list[Any])

WAIT = timedelta(days=1)
"""Longest time that processes wait for the first, which encodes and selects for all of them. One
that ended is noticed within seconds: the first one by the others, these by Lightning."""

FIRST = "EOSFM_FIRST_PROCESS"
"""Environment variable: process id of the first, in those that it starts."""

LAUNCHED = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What Lightning tells the processes that it starts. A batch job's own are not meant for them."""

LOOK_S = 1.0
"""How often the others look after the first."""

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
    if first := os.environ.get(FIRST):
        threading.Thread(target=_end_after, args=[int(first)], daemon=True).start()
        sys.excepthook = partial(_tell_later, sys.excepthook)
    else:
        os.environ[FIRST] = str(os.getpid())
        # For those that it starts: they end with it, and torch would warn of its loss first.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        for name in LAUNCHED:
            os.environ.pop(name, None)
    # These take as long to load as torch, and one process needs none of them.
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment
    from lightning.fabric.strategies import DDPStrategy
    from lightning.fabric.strategies.launchers import subprocess_script

    for name in ("lightning.fabric", "lightning.pytorch"):  # whose import sets other levels
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(subprocess_script.__name__).setLevel(logging.INFO)  # tells who was killed
    kind, threads = device().type, torch.get_num_threads()
    # Objects go through memory: waiting for them leaves a GPU idle.
    backend = "gloo" if kind == "cpu" else f"cpu:gloo,{kind}:nccl"
    fabric = Fabric(
        accelerator=kind,
        devices=count,
        strategy=DDPStrategy(process_group_backend=backend, timeout=WAIT),
        # DVC starts one process, so ignore the environment of a batch system such as SLURM.
        plugins=[LightningEnvironment()],
    )
    fabric.launch()
    torch.set_num_threads(threads)  # Lightning divides the cores
    # What ends early would wait for the others to leave with it.
    atexit.register(_leave)


def _end_after(first: int) -> None:
    """End this process once its parent did, which may be killed in the middle of anything."""
    while os.getppid() == first:
        time.sleep(LOOK_S)
    os._exit(1)


def _tell_later(tell: Callable[..., None], *error: Any) -> None:
    """Show an error unless it is the loss of the first process, with which this one ends."""
    time.sleep(3 * LOOK_S)
    tell(*error)


def _leave() -> None:
    if distributed.is_initialized():
        _end(1)


def _end(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


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


def data_parallel(model: nn.Module, drops: bool) -> nn.Module:
    """A model whose gradients, once computed, are those of all processes, averaged.

    On GPUs, batch norms that learn use statistics of the whole batch; torch cannot on CPUs.

    Args:
        model: On its device; the result shares its parameters.
        drops: Whether it leaves parts of itself out in the course of training.
    """
    if count() == 1:
        return model
    where = next(model.parameters()).device
    if where.type == "cuda":
        model = synchronise_batch_norms(model)
    return nn.parallel.DistributedDataParallel(
        model,
        device_ids=[where] if where.type == "cuda" else None,
        static_graph=not drops,
        find_unused_parameters=drops,
    )


def share_buffers(models: Iterable[nn.Module]) -> None:
    """Give all processes the first one's buffers, such as running means, before models are used."""
    if count() > 1:
        for model in models:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)


def go_on_alone() -> None:
    """Leave the other processes, which end here, with status 0."""
    if not distributed.is_initialized():
        return
    first = is_first()
    distributed.barrier()
    distributed.destroy_process_group()
    if not first:
        _end(0)  # at once: of one that failed in clearing up, Lightning would kill the first
