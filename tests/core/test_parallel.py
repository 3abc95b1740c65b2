"""Whole jobs per core: order, shares of the cores, errors."""

import threading
from multiprocessing.pool import ThreadPool

import pytest
import torch

from eosfm.core.parallel import cores, run_ahead, run_together, single_thread


@pytest.fixture
def four_threads(monkeypatch):
    # A stage that ran in this process before may have left its share of the cores to this thread.
    monkeypatch.setattr("eosfm.core.parallel._share", threading.local())
    monkeypatch.setattr("eosfm.core.parallel.usable_cores", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_jobs(four_threads):
    assert run_together([lambda n=n: n**2 for n in range(9)]) == [n**2 for n in range(9)]


def test_jobs_run_at_a_time_in_one_thread_each(four_threads):
    meeting = threading.Barrier(2, timeout=20)  # passed only if both run at a time

    def job():
        meeting.wait()
        return torch.get_num_threads()

    assert run_together([job, job]) == [1, 1]
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize(("outer", "share"), [(2, 2), (3, 1), (4, 1)])
def test_a_job_has_its_share_of_the_cores_for_jobs_of_its_own(four_threads, outer, share):
    assert run_together([cores] * outer) == [share] * outer


def test_a_process_of_one_thread_still_fills_its_cores(four_threads):
    meeting = threading.Barrier(2, timeout=20)

    def stage():
        single_thread()
        assert run_together([meeting.wait] * 2)
        return torch.get_num_threads()

    with ThreadPool(1) as pool:  # a thread of its own, whose settings go with it
        assert pool.apply(stage) == 1


def test_one_job_keeps_all_threads(four_threads):
    assert run_together([torch.get_num_threads]) == [4]
    assert run_together([]) == []


def test_an_error_is_raised_and_the_threads_given_back(four_threads):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_together([fail, fail])
    assert torch.get_num_threads() == 4


def test_results_come_in_order_while_the_next_jobs_run(four_threads):
    begun = []

    def jobs():
        for number in range(9):
            begun.append(number)
            yield lambda number=number: number**2

    found = run_ahead(jobs(), 2)
    assert next(found) == 0
    assert len(begun) == 3  # two at a time, and the one that was given away
    assert list(found) == [n**2 for n in range(1, 9)]


def test_each_has_its_share_of_the_threads(four_threads):
    meeting = threading.Barrier(2, timeout=20)

    def job():
        meeting.wait()
        return torch.get_num_threads(), cores()

    assert list(run_ahead([job, job], 2)) == [(2, 2)] * 2
    assert list(run_ahead([torch.get_num_threads], 1)) == [4]
    assert torch.get_num_threads() == 4


def test_a_fault_of_one_ends_all(four_threads):
    with pytest.raises(ZeroDivisionError):
        list(run_ahead([lambda: 1, lambda: 1 // 0, lambda: 1], 2))
    assert torch.get_num_threads() == 4
