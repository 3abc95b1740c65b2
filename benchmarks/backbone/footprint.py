"""What a backbone takes on disk, in memory and at the start of a process."""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from common import BACKBONE, Json, Published, alternate, ensemble, five_of, show

from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.model import EosFM

KINDS = ("published", "all", "five")


def footprint(size: int = 128, batch: int = 4, json_: Json = None) -> None:
    """File, parameters, and memory of a process that loads the file and runs one batch.

    Memory is the peak resident size above that of a process that imports all and loads nothing.
    """
    members = ensemble()
    five = five_of(members)
    every = EosFM.from_specialists(members, in_chans=13, fusion="concat", normalize="none")
    table = [{"measure": "parameters, M"}, {"measure": "file, MB"}, {"measure": "peak memory, MB"}]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_artifact(folder / "published.pth", members)
        every.save(folder / "all.pth")
        five.save(folder / "five.pth")
        idle = _run_alone("nothing", folder, size, batch)
        for kind, model in zip(KINDS, (Published(members), every, five), strict=True):
            table[0][kind] = sum(p.numel() for p in model.parameters()) / 1e6
            table[1][kind] = (folder / f"{kind}.pth").stat().st_size / 1e6
            table[2][kind] = _run_alone(kind, folder, size, batch) - idle
    rows = [row | {"published / five": row["published"] / row["five"]} for row in table]
    show(f"Footprint, {batch} tiles of {size} px", rows, json_)


def peak(kind: str, folder: Path, size: int, batch: int) -> None:
    """Print this process's peak resident megabytes after loading and running one model."""
    if kind != "nothing":
        path = folder / f"{kind}.pth"
        model = Published(load_artifact(path)) if kind == "published" else EosFM.load(path)
        with torch.no_grad():
            model.eval()(torch.randn(batch, 13, size, size))
    # getrusage would count what the parent held when it forked.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1e3)


def _run_alone(kind: str, folder: Path, size: int, batch: int) -> float:
    command = [sys.executable, str(Path(__file__).parent), "peak", kind, str(folder)]
    done = subprocess.run([*command, str(size), str(batch)], check=True, stdout=subprocess.PIPE)
    return float(done.stdout)


def imports(rounds: int = 5, json_: Json = None) -> None:
    """Seconds of a fresh Python that imports the backbone, and that builds one."""
    build = (
        "from eosfm.nn.specialist import Specialist; from eosfm import EosFM;"
        "from eosfm.encoding.randomize import randomize;"
        f"members = randomize([Specialist('a', '{BACKBONE}', 3, {{}})], 0);"
        "EosFM.from_specialists(members, in_chans=3)"
    )
    programs = {
        "import eosfm": "import eosfm",
        "import torch, timm": "import torch, timm",
        "from eosfm import EosFM": "from eosfm import EosFM",
        "build a backbone": build,
    }
    runs = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in programs.items()
    }
    seconds = alternate(runs, rounds)
    show("Imports", [{"what": name, "seconds": value} for name, value in seconds.items()], json_)
