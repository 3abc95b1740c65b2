"""Jobs that are too small to be shared among cores: each core takes whole ones, in one thread each.

Sums depend in their last digits on the number of threads that share them. With one thread for each
job, results do not depend on how many cores there are, nor on how many jobs run at a time.
"""

import threading
from collections.abc import Callable, Sequence
from multiprocessing.pool import ThreadPool
from typing import TypeVar

import torch

T = TypeVar("T")

_share = threading.local()


def single_thread() -> None:
    """Compute in one thread from now on; jobs that are run together go on to fill all cores."""
    _share.cores = cores()
    torch.set_num_threads(1)


def cores() -> int:
    """As many as torch was to use in this thread."""
    return getattr(_share, "cores", None) or torch.get_num_threads()


def run_together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run jobs of torch's on the CPU, as many at a time as there are cores for.

    A job that runs some of its own the same way has its share of the cores for them. Gradient and
    autocast modes belong to the thread, and the random state to the process: jobs set the former
    themselves, and no two may draw random numbers at a time.

    Returns:
        Their results, in order.
    """
    threads, available = torch.get_num_threads(), cores()
    workers = min(available, len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    try:
        # Its threads do not outlive an interrupted process, as those of an executor would.
        with ThreadPool(workers, _begin, [available // workers]) as pool:
            return pool.map(lambda job: job(), jobs, chunksize=1)
    finally:
        torch.set_num_threads(threads)  # the workers' setting is also the process's default


def _begin(count: int) -> None:
    _share.cores = count
    # The first question makes a thread take over the process's number, which another pool may be
    # changing; asked now, it cannot undo the setting later.
    torch.get_num_threads()
    torch.set_num_threads(1)
