"""Watch what DVC does not: data and an artifact that users bring."""

from pathlib import Path

import eosfm.cli
from eosfm.artifacts.use import ARTIFACT, refuse_to_lose
from eosfm.datasets.fetching.watch import watch_roots
from eosfm.params import load_params
from eosfm.planning.leftovers import remove_leftovers
from eosfm.planning.readers import refuse_misfits


def main() -> None:
    """Make data/roots, with a file per dataset, which is a dep of its download.

    As the first stage of every run, it also refuses what a later stage would refuse.
    """
    refuse_to_lose(ARTIFACT)
    params = load_params()
    refuse_misfits(params, Path())
    for path in remove_leftovers(params, Path()):
        print(f"watch: removed {path}, whose entry params.yaml no longer has")
    sources = {name: params.source(name) for name in params.datasets}
    roots = {
        name: Path(entry.root) if entry.root and sources[name] == "archive" else None
        for name, entry in params.datasets.items()
    }
    parts = [name for name, entry in params.datasets.items() if entry.scenes == "any"]
    watch_roots(roots, sources, Path("data/roots"), parts=parts)
    watched = [name for name, root in roots.items() if root is not None]
    print(f"watch: {', '.join(watched) or 'no roots'}")


if __name__ == "__main__":
    eosfm.cli.run(main)
