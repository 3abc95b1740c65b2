"""How many cores there are for this process."""

import os


def usable_cores() -> int:
    """The cores that it may use."""
    usable = getattr(os, "sched_getaffinity", None)  # Linux knows which ones a process may use
    return len(usable(0)) if usable else os.cpu_count() or 1


def loaders(wanted: int) -> int:
    """Loader processes: one for each core at most. They change no result; more only wait."""
    return min(wanted, usable_cores())
