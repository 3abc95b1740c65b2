"""A run at ``scale=full`` on simulated archives of any size: its own stages and protocol.

One archive in the layout of HLS Burn Scars, of a few painted scenes under many names, is fetched
from a server of this process, unpacked, cut, trained on and scored. Beside its size, four things
are smaller than in a real run: shards, so that there are hundreds of them; tiles, with windows in
proportion; decoders; epochs.

    python benchmarks/rehearsal.py STAGE [ITEM]    # within a project that lay_out made
"""

import io
import json
import runpy
import sys
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import yaml

from eosfm.core.splits import Split
from eosfm.datasets import hls_burn_scars
from eosfm.datasets.hls_burn_scars import FOLDERS, IMAGE, MASK, NAME, PREFIX, split_of
from eosfm.datasets.native.spec import Archive

ROOT = Path(__file__).parents[1]
ARCHIVE = "scenes.tar"
TILE, SCENE = 32, 128
"""Height and width of tiles and of scenes, pixels: 16 tiles a scene."""
SHARD_BYTES = 1_650_000
PAINTED = 2
"""Scenes of a split that are painted; the others are these under other names."""
SPECIALISTS = 2
"""Of the ensemble; every model keeps all."""

STEPS = (
    ("download", NAME), ("tile", NAME), ("start", ""), ("train", "visible"), ("train", "infrared"),
    ("export", ""), ("features", "live"), ("evaluate", "live"), ("baseline", "live"),
    ("features", "stored"), ("evaluate", "stored"),
)  # fmt: skip
"""Stages and items in order; the last task's features are stored, the other's are too large."""

PLAN = 0.25
"""How far the plan may be off."""

ENCODING = ("train", "features", "evaluate", "baseline")


class Figure(NamedTuple):
    """One figure of one stage, as the plan has it and as it came."""

    step: str
    what: str
    planned: float
    found: float

    @property
    def off(self) -> float:
        """How far the plan is from what was found, as a share of it."""
        return self.planned / self.found - 1


@dataclass(frozen=True)
class Project:
    """A folder with params.yaml, the archive's server, and what stages leave there."""

    path: Path
    scenes: Mapping[Split, int]

    @property
    def tiles(self) -> int:
        """Of all splits."""
        return sum(self.scenes.values()) * (SCENE // TILE) ** 2


@contextmanager
def lay_out(path: Path, scenes: Mapping[Split, int]) -> Iterator[Project]:
    """Paint the archive and serve it as long as the block lasts."""
    server = path / "server"
    server.mkdir(parents=True)
    write_archive(server / ARCHIVE, scenes)
    handler = partial(_Quiet, directory=str(server))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        facts = {
            "url": f"http://127.0.0.1:{http.server_port}/{ARCHIVE}",
            "size_gb": (server / ARCHIVE).stat().st_size / 1e9,
            "scenes": dict(scenes),
        }
        (path / "rehearsal.json").write_text(json.dumps(facts))
        yield Project(path, scenes)
        http.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: Any) -> None:
        pass


def write_archive(path: Path, scenes: Mapping[Split, int]) -> None:
    """Write a tar of so many scenes by split."""
    from eosfm.simulation.recipe import Simulation
    from eosfm.simulation.recipes import get_recipe

    painted: dict[Split, list[tuple[bytes, bytes]]] = {split: [] for split in scenes}
    with tempfile.TemporaryDirectory() as name:
        amounts = dict.fromkeys(scenes, PAINTED)
        get_recipe(NAME)(Path(name), Simulation(0, amounts, SCENE, 30.0))
        for image in sorted(Path(name).rglob(f"*{IMAGE}")):
            stem = image.name.removesuffix(IMAGE)
            tile = stem.removeprefix(PREFIX).partition(".")[0]
            both = image.read_bytes(), image.with_name(stem + MASK).read_bytes()
            painted[split_of(image.parent.name, tile)].append(both)
    with tarfile.open(path, "w") as tar:
        for split, amount in scenes.items():
            folder = FOLDERS[split]
            tiles = (f"T{number:02d}AAA" for number in count(1))
            tile = next(tile for tile in tiles if split_of(folder, tile) == split)
            for number in range(amount):
                year, day = divmod(number, 365)
                stem = f"{folder}/{PREFIX}{tile}.{2018 + year}{1 + day:03d}.v1.4"
                for end, content in zip(
                    (IMAGE, MASK), painted[split][number % PAINTED], strict=True
                ):
                    info = tarfile.TarInfo(stem + end)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def write_params(project: Project, stored: bool) -> None:
    """Write the project's params.yaml: those of ``scale=full``, but for what must be small."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    full, bands = params["scales"]["full"], params["tasks"][NAME]["bands"]
    entry = params["datasets"][NAME] | {"tile": TILE, "simulated": None, "scenes": "any"}
    specialist = {"dataset": NAME, "epochs": 1, "batch_size": 32, "loss": "ce", "crop": 24}
    task = params["tasks"][NAME] | {"dataset": NAME, "bands": bands}
    full["train"] |= {"steps_per_epoch": 5, "decoder_channels": 16, "workers": 2}
    full["tasks"] = {}
    full["protocol"] |= {
        "epochs": 1, "batch_size": 64, "decoder_channels": 16, "seeds": 2, "workers": 2,
        "window": 3 * TILE // 4,  # four windows a tile
    }  # fmt: skip
    params |= {
        "scale": "full",
        "datasets": {NAME: entry},
        "specialists": {
            "visible": specialist | {"bands": "B04 B03 B02"},
            "infrared": specialist | {"bands": "B8A B11 B12"},
        },
        "ensemble": ["visible", "infrared"],
        # Enough labels for what is stored to be larger than what a process needs anyway.
        "tasks": {"live": task, "stored": task | {"label_fraction": 0.25}},
    }
    params["backbone"]["pretrained"] = False  # no hub can be reached
    params["fusion"]["max_encoders"] = None  # how many help, no plan can know
    params["encoding"]["max_gb"] = 1000.0 if stored else 1e-6
    (project.path / "params.yaml").write_text(yaml.safe_dump(params))


@contextmanager
def rehearsing(path: Path) -> Iterator[None]:
    """While the catalogue has a project's archive, and shards are small."""
    from eosfm.evaluation import baselines
    from eosfm.planning import facts as known
    from eosfm.planning import fits
    from eosfm.tiles import shards

    facts = json.loads((path / "rehearsal.json").read_text())
    dataset = hls_burn_scars.DATASET
    source = replace(
        dataset.source, size_gb=facts["size_gb"], archives=(Archive(facts["url"], ARCHIVE),)
    )
    # How many help, no plan can know.
    everyone = baselines.FIXED.model_copy(update={"max_encoders": SPECIALISTS})
    counted = known.ArchiveFacts(**facts["scenes"], height=SCENE, width=SCENE, source="painted")
    with (
        patch.object(hls_burn_scars, "DATASET", replace(dataset, source=source)),
        patch.object(shards, "SHARD_BYTES", SHARD_BYTES),
        patch.dict(known.ARCHIVES, {NAME: counted}),
        patch.object(baselines, "FIXED", everyone),
        patch.object(fits, "FIXED", everyone),
    ):
        yield


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Count images that are encoded or read as features, and calls of encoders."""
    from eosfm.encoding.encoder import EnsembleEncoder
    from eosfm.features.source import StoredLevels
    from eosfm.training.module import SpecialistModule

    seen: Counter[str] = Counter()
    lock = threading.Lock()  # fits may run side by side

    def note(images: int, encoders: int) -> None:
        with lock:
            seen.update(images=images, calls=images * encoders)

    encode, forward = EnsembleEncoder.encode, SpecialistModule.forward
    stream = StoredLevels.stream

    def encoded(self: Any, x: Any, indices: Any = None) -> Any:
        chosen = range(len(self.inputs)) if indices is None else indices
        note(len(x), sum(not self.inputs[index].spectral for index in chosen))
        return encode(self, x, indices)

    def trained(self: Any, image: Any) -> Any:
        note(image.shape[0] * image.shape[1], 1)
        return forward(self, image)

    def read(self: Any, requests: Any) -> Any:
        for levels, targets in stream(self, requests):
            note(len(targets), 0)
            yield levels, targets

    with ExitStack() as stack:
        for place, name, instead in (
            (EnsembleEncoder, "encode", encoded),
            (SpecialistModule, "forward", trained),
            (StoredLevels, "stream", read),
        ):
            stack.enter_context(patch.object(place, name, instead))
        yield seen


def run_stage(project: Path, stage: str, item: str) -> None:
    """Run one stage as it is, within the project's folder, and write down what it encoded."""
    # Others encode nothing, and do not load what is counted in.
    counted = counting() if stage in ENCODING else nullcontext(Counter[str]())
    with rehearsing(project), counted as seen:
        main = runpy.run_path(str(ROOT / "stages" / f"{stage}.py"))["main"]
        main(item) if item else main()
    counts = project / "counts"
    counts.mkdir(exist_ok=True)
    (counts / f"{stage}@{item}.json").write_text(json.dumps(seen))


def compare(project: Project) -> Iterator[Figure]:
    """The plan's figures beside those of the stages that ran."""
    from eosfm.params import load_params
    from eosfm.planning.hardware import find_gpu
    from eosfm.planning.plan import make_plan

    for stored in (False, True):
        write_params(project, stored)
        with rehearsing(project.path):
            plan = make_plan(load_params(project.path / "params.yaml"), find_gpu("cpu"))
        for step in plan.steps:
            if (step.item == "stored") != stored:
                continue
            name = f"{step.stage}@{step.item}"
            for what, found in _found(project.path, step.stage, step.item).items():
                planned = getattr(step.work, what)
                if what.endswith("gb"):
                    what, planned = what.replace("gb", "bytes"), 1e9 * planned
                yield Figure(name, what, planned, found)


def _found(path: Path, stage: str, item: str) -> dict[str, int]:
    """What a stage left, by the attribute of :class:`eosfm.planning.work.Work`."""
    if stage == "download":
        return {"archives_gb": size_of(path / "data/archives" / item)}
    if stage == "tile":
        folder = path / "data/tiles" / item
        splits = json.loads((folder / "store.json").read_text())["splits"]
        images = sum(sum(split["rows"]) for split in splits.values())
        return {"images": images, "tiles_gb": size_of(folder)}
    counts = path / "counts" / f"{stage}@{item}.json"
    seen = json.loads(counts.read_text()) if counts.exists() else {}
    found = {"images": seen.get("images", 0), "encoder_calls": seen.get("calls", 0)}
    if stage == "features" and found["images"]:
        found["features_gb"] = size_of(path / "data/features" / item)
    return {what: value for what, value in found.items() if value}


def show_figures(figures: Sequence[Figure]) -> list[str]:
    """Print the plan beside the run, and name what it has wrong."""
    from rich.console import Console
    from rich.table import Table

    table = Table("step", "figure", "planned", "found", "off", box=None)
    for one in figures:
        table.add_row(one.step, one.what, f"{one.planned:,.0f}", f"{one.found:,.0f}",
                      f"{one.off:+.1%}")  # fmt: skip
    Console().print(table)
    return [
        f"{one.step}: the plan's {one.what} are off by {one.off:+.0%} (allowed {PLAN:.0%})"
        for one in figures if abs(one.off) > PLAN
    ]  # fmt: skip


def size_of(folder: Path) -> int:
    """Bytes of all files, but for notes of what was fetched."""
    files = (file for file in folder.rglob("*") if ".fetched" not in file.parts)
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    run_stage(Path(), sys.argv[1], "".join(sys.argv[2:]))
