"""The line for an error, and what no line is made of."""

import errno
import re

import pytest
import torch

from eosfm.core.errors import EosfmError, line_of

FULL = OSError(errno.ENOSPC, "No space left on device", "tiles.bin")


def raised(body) -> BaseException:
    with pytest.raises(Exception) as caught:
        body()
    return caught.value


def handling(first: BaseException, then: BaseException, **cause) -> BaseException:
    """What comes when one error is raised while another is handled."""

    def body() -> None:
        try:
            raise first
        except type(first):
            if cause:
                raise then from cause["cause"]
            raise then  # noqa: B904 -- that it has a context and no cause is the case

    return raised(body)


def test_a_fault_is_one_line_whatever_its_text():
    assert line_of(EosfmError("found this;\n  expected that")) == "found this; expected that"


def test_signs_that_command_a_terminal_are_spelt_out():
    assert line_of(EosfmError("größe \x1b[31m.tif \udcff")) == r"größe \x1b[31m.tif \udcff"


class Damaged(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise EosfmError("found this;\n  expected that")


def test_a_fault_in_a_loaders_process_is_its_line_alone():
    loader = torch.utils.data.DataLoader(Damaged(), num_workers=1)
    assert line_of(raised(lambda: list(loader))) == "found this; expected that"


def test_what_an_error_was_raised_from_counts():
    fault = EosfmError("found; expected")
    assert line_of(handling(fault, ValueError("wrapped"), cause=fault)) == "found; expected"


def test_a_mistake_of_the_code_while_a_fault_is_handled_has_no_line():
    assert line_of(handling(EosfmError("found; expected"), KeyError("mistake"))) is None
    assert line_of(handling(EosfmError("found"), KeyError("mistake"), cause=None)) is None


@pytest.mark.parametrize(
    "want, words",
    [
        (FULL, "tiles.bin cannot be used .No space left"),
        (MemoryError(), "memory ran out"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), "memory ran out"),
        (
            RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space"),
            "loader processes found no room in /dev/shm",
        ),
        (
            RuntimeError("worker is killed by signal: Bus error. It might be out of shared memory"),
            "loader processes found no room in /dev/shm",
        ),
    ],
)
def test_a_want_of_the_systems_is_said_whatever_came_of_it(want, words):
    """A library that stumbles over it may raise anything next."""
    for error in (want, handling(want, AttributeError("next"))):
        assert re.search(words, str(line_of(error)))


def test_any_other_error_has_no_line():
    assert line_of(RuntimeError("a mistake")) is None
    assert line_of(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
