"""Parallel downloads: their common progress bar, and how to stop them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Self

from eosfm.core.progress import progress

if TYPE_CHECKING:
    import requests


class Stopped(Exception):
    """The run was stopped; partial files stay on disk and are resumed."""


class Traffic:
    """The bytes of several downloads, counted in one line with the time that is left.

    Args:
        name: What is downloaded.
        expected: Bytes expected of each file.
    """

    def __init__(self, name: str, expected: Mapping[str, int]) -> None:
        self._expected = dict(expected)
        self._bar = progress(
            "{desc}: {n_fmt} of {total_fmt}, {rate_fmt}, {remaining} left", desc=f"download {name}",
            total=sum(expected.values()), unit="B", unit_scale=True,
        )  # fmt: skip
        self._lock = Lock()
        self._stopped = Event()
        self._open: set[requests.Response] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def expect(self, filename: str, size: int) -> None:
        """A server said how many bytes a file has."""
        with self._lock:
            self._expected[filename] = size
            self._bar.total = sum(self._expected.values())

    def receive(self, count: int) -> None:
        """So many bytes came."""
        with self._lock:
            self._bar.update(count)

    def skip(self, count: int) -> None:
        """Count bytes that are on disk already; negative if bytes were dropped."""
        with self._lock:
            self._bar.initial += count
            self._bar.last_print_n += count
            self._bar.n += count

    @contextmanager
    def reading(self, response: "requests.Response") -> Iterator[None]:
        """Around the reading of a response: :meth:`stop` ends it, even where no byte comes.

        Raises:
            Stopped: The run was stopped, now or before.
        """
        with self._lock:
            self._open.add(response)
        try:
            self.wait(0)
            yield
        finally:
            with self._lock:
                self._open.discard(response)
            response.close()

    def wait(self, seconds: float) -> None:
        """Wait, unless the run is stopped.

        Raises:
            Stopped: It is.
        """
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        """End all downloads: at once where bytes are read, else at the next one or time-out."""
        self._stopped.set()
        with self._lock:
            for response in self._open:
                with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
                    response.raw.shutdown()
