"""Jobs that are too small to be shared among cores: each core takes whole ones, in one thread each.

Sums depend in their last digits on the number of threads that share them. With one thread for each
of several jobs, results do not depend on how many cores there are, nor on how many run at a time. A
job alone has all of torch's threads; stages have one (:func:`single_thread`).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import AsyncResult, ThreadPool
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
        with ThreadPool(workers, _begin, [available // workers, 1]) as pool:
            return pool.map(lambda job: job(), jobs, chunksize=1)
    finally:
        torch.set_num_threads(threads)  # the workers' setting is also the process's default


def run_ahead(jobs: Iterable[Callable[[], T]], workers: int) -> Iterator[T]:
    """Results of jobs in order, while the next ones are run: ``workers`` at a time.

    Each computes in as many threads as its share of the cores has.
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
    # The first question makes a thread take over the process's number, which another pool may be
    # changing; asked now, it cannot undo the setting later.
    torch.get_num_threads()
    torch.set_num_threads(threads)
