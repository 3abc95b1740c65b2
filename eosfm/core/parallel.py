"""Parallel jobs that are too small to split across cores: each runs whole, in one thread.

The last digits of a sum depend on the number of threads that share it. With one thread per job,
results depend neither on the number of cores nor on how many jobs run at a time. A single job uses
all of torch's threads; stages set these to one (:func:`single_thread`).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import TypeVar

import torch

from eosfm.core.cores import usable_cores

T = TypeVar("T")

_share = threading.local()


def single_thread() -> None:
    """Compute in one thread from now on; jobs that are run together go on to fill all cores."""
    _share.cores = cores()
    torch.set_num_threads(1)


def cores() -> int:
    """As many as torch was to use in this thread, and no more than there are."""
    return getattr(_share, "cores", None) or min(torch.get_num_threads(), usable_cores())


def run_together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run torch jobs on the CPU, as many at a time as there are cores.

    A job that calls this function itself gets its share of the cores. Gradient and autocast modes
    are per thread, so jobs must set them; the random state is per process, so no two jobs may draw
    random numbers at the same time.

    Returns:
        Their results, in order.
    """
    threads, available = torch.get_num_threads(), cores()
    workers = min(available, len(jobs))
    if workers < 2:
        return [job() for job in jobs]
    try:
        # Its threads do not outlive an interrupted process, as those of an executor would.
        with ThreadPool(workers, _begin, [available // workers, 1]) as pool:
            return pool.map(lambda job: job(), jobs, chunksize=1)
    finally:
        torch.set_num_threads(threads)  # the workers' setting is also the process's default


def run_ahead(jobs: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """Yield the results of jobs in order while the next ones run, ``workers`` at a time.

    Each job has an equal share of the cores, and as many threads.
    """
    threads, share = torch.get_num_threads(), max(1, cores() // workers)
    waiting: deque[AsyncResult[T]] = deque()
    pool = ThreadPool(workers, _begin, [share, share])
    try:
        with pool:
            for job in jobs:
                waiting.append(pool.apply_async(job))
                if len(waiting) > workers:
                    yield waiting.popleft().get()
            while waiting:
                yield waiting.popleft().get()
    finally:
        pool.join()  # a process that ends while one of its threads is inside torch is aborted
        torch.set_num_threads(threads)


def _begin(count: int, threads: int) -> None:
    _share.cores = count
    # A thread's first call takes over the process-wide number, which another pool may be changing;
    # made here, it cannot undo the setting below.
    torch.get_num_threads()
    torch.set_num_threads(threads)
