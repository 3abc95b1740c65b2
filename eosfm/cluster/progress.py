"""Progress of a run, as one line per stage, suitable for a log file."""

import time
from collections.abc import Collection, Mapping

TRUST = 0.05
"""Weight of the prior estimate, as a fraction of the run: the first stages share their time with
the start of the workers, so their pace says little."""


class Progress:
    """Counts stages, and says how long the rest will take.

    Args:
        names: All stages of the run.
        seconds: What each is expected to take.
        workers: How many run at a time.
    """

    def __init__(self, names: Collection[str], seconds: Mapping[str, float], workers: int) -> None:
        self._all = len(names)
        self._done = 0
        self._ahead = {name: seconds.get(name, 1.0) for name in names}
        self._whole = sum(self._ahead.values())
        self._workers = max(1, workers)
        self._start = time.monotonic()

    def say(self, name: str, what: str) -> None:
        """Print that a stage is done, failed, or need not run."""
        self._done += 1
        del self._ahead[name]
        spent = time.monotonic() - self._start
        ahead = sum(self._ahead.values())
        trusted = TRUST * self._whole
        pace = (spent + trusted / self._workers) / (self._whole - ahead + trusted)
        left = pace * ahead
        print(
            f"[{self._done}/{self._all}] {clock(spent)}, {clock(left)} left | {name}: {what}",
            flush=True,
        )


def clock(seconds: float) -> str:
    """A duration as 4:07 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
