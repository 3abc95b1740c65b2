"""Look where DVC does not: below the folders of data that users have."""

from pathlib import Path

import eosfm.cli
from eosfm.datasets.fetching.watch import watch_roots
from eosfm.params import load_params


def main() -> None:
    """Make data/roots, of which each dataset's download has its own file as a dep."""
    params = load_params()
    sources = {name: params.source(name) for name in params.datasets}
    roots = {
        name: Path(entry.root) if entry.root and sources[name] == "archive" else None
        for name, entry in params.datasets.items()
    }
    watch_roots(roots, sources, Path("data/roots"))
    watched = [name for name, root in roots.items() if root is not None]
    print(f"watch: {', '.join(watched) or 'no roots'}")


if __name__ == "__main__":
    eosfm.cli.run(main)
