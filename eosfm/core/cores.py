"""How many cores there are for this process."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath

CORES = "EOSFM_CORES"
"""Environment variable: the most cores for this process, which ``eosfm repro`` sets for stages."""


def usable_cores() -> int:
    """The cores that it may use, within the limits of a container."""
    usable = getattr(os, "sched_getaffinity", None)  # Linux knows which ones a process may use
    there = len(usable(0)) if usable else os.cpu_count() or 1
    return max(1, min(there, int(os.environ.get(CORES) or there), *quotas()))


def loaders(wanted: int) -> int:
    """Loader processes: one for each core at most. They change no result; more only wait."""
    return min(wanted, usable_cores())


def quotas(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """Cores that Linux's control groups grant this process, where containers or slices limit it.

    Args:
        groups: Where both versions of control groups are mounted.
        own: Says in which groups the process is.
    """
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        base = groups / "cpu" if controllers else groups  # the second version names none
        # A path of the machine's groups, of which a container may see its own alone.
        place = PurePosixPath(path.lstrip("/"))
        for group in (place, *place.parents):
            try:
                if controllers:
                    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                    quota, period = ((base / group / name).read_text().strip() for name in names)
                else:
                    quota, period = (base / group / "cpu.max").read_text().split()
            except OSError:  # no limit is kept there
                continue
            if quota not in ("max", "-1"):
                yield ceil(int(quota) / int(period))
