"""The plan of a run: every stage of every item, with what it takes and whether it is done."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError, suggest
from eosfm.core.files import read_json
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching.record import FOLDER
from eosfm.params import Params
from eosfm.planning.cost import reference_macs
from eosfm.planning.fits import baseline_work, evaluation_work
from eosfm.planning.hardware import Gpu, kwh
from eosfm.planning.memory import READER_GB, TORCH_GB, tile_gb
from eosfm.planning.status import stage_name
from eosfm.planning.stores import PlannedStore, planned_stores
from eosfm.planning.tasks import PlannedTask, features_work, planned_task
from eosfm.planning.training import training_work
from eosfm.planning.work import GB, Work, total
from eosfm.tiles.manifest import NAME as MANIFEST

STAGES = (
    "download", "tile", "start", "train", "export", "features", "evaluate", "baseline", "report",
)  # fmt: skip
"""In the order of the work; ``watch`` runs in every repro and takes no time."""


@dataclass(frozen=True)
class Step:
    """One stage of one item.

    Attributes:
        stage: As in dvc.yaml.
        item: Dataset, specialist or task; empty for stages that run once.
        work: What it takes.
        done: Whether DVC would not run it.
        note: What a reader should know.
    """

    stage: str
    item: str
    work: Work
    done: bool = False
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """A run before it is run.

    Attributes:
        scale: ``mini`` or ``full``.
        gpu: What it is reckoned for.
        steps: In the order of the work.
        requests: What a person must click first, by dataset.
    """

    scale: str
    gpu: Gpu
    steps: tuple[Step, ...]
    requests: dict[str, str]

    def ahead(self, stage: str | None = None) -> list[Step]:
        """The steps that would run, of one stage or of all."""
        return [step for step in self.steps if not step.done and stage in (None, step.stage)]

    def work(self, stage: str | None = None) -> Work:
        """What they take together."""
        return total(step.work for step in self.ahead(stage))

    def hours(self, work: Work) -> float:
        """GPU-hours of some work."""
        return work.hours(self.gpu, reference_macs())

    def kwh(self, work: Work) -> float:
        """Energy of some work."""
        return kwh(self.gpu, self.hours(work))

    def numbers(self, work: Work) -> dict[str, float]:
        """Some work in the keys of ``eosfm plan --json``."""
        return {
            "images": work.images,
            "encoder_calls": work.encoder_calls,
            "archives_gb": round(work.archives_gb, 3),
            "tiles_gb": round(work.tiles_gb, 3),
            "features_gb": round(work.features_gb, 3),
            "scratch_gb": round(work.scratch_gb, 3),
            "peak_memory_gb": round(work.memory_gb, 2),
            "gpu_hours": round(self.hours(work), 4),
            "kwh": round(self.kwh(work), 4),
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values: all together, by stage, by item."""
        return {
            "scale": self.scale,
            "gpu": vars(self.gpu),
            **self.numbers(self.work()),
            "stages": {stage: self.numbers(self.work(stage)) for stage in STAGES},
            "items": {
                stage_name(step.stage, step.item): self.numbers(step.work) | {"done": step.done}
                for step in self.steps
            },
            "requests": self.requests,
        }


def at_scale(params: Params, scale: str) -> Params:
    """The parameters with another scale.

    Raises:
        EosfmError: There is none of that name, or something cannot be run at it.
    """
    scales = list(type(params.scales).model_fields)
    if scale not in scales:
        raise EosfmError(f"there is no scale {scale!r}; {suggest(scale, scales)}")
    # What an entry's `train` does not set must stay unset: the scale's holds then.
    given = params.model_dump(exclude_unset=True)
    return Params.model_validate(given | {"scale": scale})


def make_plan(params: Params, gpu: Gpu, to_run: frozenset[str] | None = None) -> Plan:
    """Plan the whole pipeline.

    Args:
        params: What is to be run.
        gpu: Where.
        to_run: The stages that DVC would run; None plans all.

    Raises:
        EosfmError: Something in the parameters cannot be run, or nobody knows an archive's size.
    """
    steps = [
        replace(step, done=to_run is not None and stage_name(step.stage, step.item) not in to_run)
        for step in _steps(params)
    ]
    return Plan(params.scale, gpu, tuple(steps), _requests(params))


def _steps(params: Params) -> Iterator[Step]:
    stores = planned_stores(params)
    fetched: set[str] = set()
    for name in params.datasets:
        yield Step("download", name, _download(params, name, fetched))
    for name, store in stores.items():
        yield Step("tile", name, _cutting(store), note="about" if store.about else "")
    yield Step("start", "", Work(memory_gb=TORCH_GB))
    for name, specialist in params.specialists.items():
        yield Step("train", name, training_work(params, name, stores[specialist.dataset]))
    yield Step("export", "", Work(memory_gb=TORCH_GB))
    planned = {
        name: planned_task(params, name, stores[entry.dataset])
        for name, entry in params.tasks.items()
    }
    for name, task in planned.items():
        note = "" if task.stored else "not stored"
        yield Step("features", name, features_work(task), note=note)
    for name, task in planned.items():
        yield Step("evaluate", name, evaluation_work(task, params.fusion))
    for name, task in planned.items():
        yield Step("baseline", name, baseline_work(task))
    yield Step("report", "", Work(memory_gb=READER_GB))


def disk_need(
    params: Params,
    project: Path,
    stores: Mapping[str, PlannedStore],
    tasks: Iterable[PlannedTask],
) -> Work:
    """What a run still has to write: archives, tiles and features that are not there.

    Those of another scale do not count: their tiles are of other sizes, or of simulated images.
    """
    data = project / "data"
    there = {name for name, store in stores.items() if _is_cut(data / "tiles" / name, store)}
    works = list(_downloads(params, project))
    works += [_cutting(store) for name, store in stores.items() if name not in there]
    works += [
        features_work(task)
        for task in tasks
        if task.store.name not in there or not (data / "features" / task.task.name).is_dir()
    ]
    return total(works)


def _is_cut(folder: Path, store: PlannedStore) -> bool:
    """Whether a store is there, of the same tiles."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return False
    told = read_json(manifest, f"remove {folder}")
    same: bool = (told.get("source") == "simulated", told.get("tile")) == (
        store.simulated,
        store.tile,
    )
    return same


def largest_archive(params: Params, project: Path) -> float:
    """Gigabytes of the largest dataset that is to be fetched."""
    return max((work.archives_gb for work in _downloads(params, project)), default=0.0)


def _downloads(params: Params, project: Path) -> Iterator[Work]:
    """What each entry still has to fetch."""
    archives = project / Path(params.archives).expanduser()
    readers = {entry.reader for entry in params.datasets.values()}
    fetched = {reader for reader in readers if _is_fetched(archives / reader)}
    return (_download(params, name, fetched) for name in params.datasets)


def _is_fetched(folder: Path) -> bool:
    """Whether each of a dataset's files is noted as done; a part of them is as good as none."""
    if not folder.is_dir():
        return False
    archives = get_dataset(folder.name).source.archives
    files = len(archives) if isinstance(archives, tuple) else 1  # others are known to torchgeo
    return len(list((folder / FOLDER).glob("*.gz"))) >= max(1, files)


def _download(params: Params, name: str, fetched: set[str]) -> Work:
    """Entries of one archive share its copy; who has a copy fetches nothing."""
    entry = params.dataset(name)
    if params.source(name) == "simulated" or entry.root or entry.reader in fetched:
        return Work(memory_gb=READER_GB)
    fetched.add(entry.reader)
    return Work(archives_gb=get_dataset(entry.reader).source.size_gb, memory_gb=READER_GB)


def _cutting(store: PlannedStore) -> Work:
    images = sum(store.tiles.values()) * store.dates
    return Work(images, tiles_gb=store.bytes / GB, memory_gb=tile_gb(store))


def _requests(params: Params) -> dict[str, str]:
    """Datasets that a person must fetch and nobody has given the root of."""
    return {
        name: manual
        for name, entry in params.datasets.items()
        if params.source(name) == "archive" and not entry.root
        and (manual := get_dataset(entry.reader).source.manual)
    }  # fmt: skip
