"""Gather the specialists into the ensemble artifact."""

from pathlib import Path

import eosfm.cli
from eosfm.core.results import write_result
from eosfm.encoding.artifact import export_artifact
from eosfm.encoding.result import ExportResult
from eosfm.params import load_params
from eosfm.tracking import track


def main() -> None:
    """Make models/eosfm.pth and results/export."""
    params = load_params()
    with track("export", "", params.energy.country) as tracker:
        names, out = params.ensemble, Path("models/eosfm.pth")
        specialists = export_artifact([Path("models/specialists") / f"{n}.pt" for n in names], out)
        write_result(tracker.folder / "metrics.json", ExportResult.of(specialists))
        tracker.done(f"{len(names)} specialists, {out.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    eosfm.cli.run(main)
