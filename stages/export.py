"""Gather the specialists into the ensemble artifact."""

from pathlib import Path

import eosfm.cli
from eosfm.encoding.artifact import export_artifact
from eosfm.params import load_params
from eosfm.tracking import track


def main() -> None:
    """Make models/eosfm.pth."""
    params = load_params()
    with track("export", "", params.energy.country) as tracker:
        files = [Path("models/specialists") / f"{name}.pt" for name in params.ensemble]
        out = Path("models/eosfm.pth")
        export_artifact(files, out)
        tracker.done(f"{len(files)} specialists, {out.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    eosfm.cli.run(main)
