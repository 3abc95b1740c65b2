"""Gather the specialists into the ensemble artifact."""

from pathlib import Path

import eosfm.cli
from eosfm.artifacts.card import write_card
from eosfm.artifacts.inventory import take_inventory
from eosfm.core.files import atomic
from eosfm.core.results import EnergyRecord, read_result, write_result
from eosfm.encoding.artifact import export_artifact
from eosfm.encoding.result import ExportResult
from eosfm.params import load_params
from eosfm.tracking import track


def main() -> None:
    """Make models/eosfm.pth, its card models/eosfm.md, and results/export."""
    params = load_params()
    with track("export", "", params.energy.country) as tracker:
        names, out = params.ensemble, Path("models/eosfm.pth")
        specialists = export_artifact([Path("models/specialists") / f"{n}.pt" for n in names], out)
        folder = Path("results/train")
        spent = [
            read_result(folder / n / "energy.json", EnergyRecord, f"train@{n}").kwh for n in names
        ]
        known = [kwh for kwh in spent if kwh is not None]
        card = write_card(
            take_inventory(out),
            trained_kwh=sum(known) if len(known) == len(spent) else None,
            opening=f'EosFM.from_artifact("{out}"',
        )
        with atomic(out.with_suffix(".md")) as beside:
            beside.write_text(card)
        write_result(tracker.folder / "metrics.json", ExportResult.of(specialists))
        tracker.done(f"{len(names)} specialists, {out.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    eosfm.cli.run(main)
