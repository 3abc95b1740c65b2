"""Whether the machine has what a run asks for: weights, disk, GPU, DVC's cache, cores."""

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from eosfm.core.cores import usable_cores
from eosfm.core.errors import EosfmError, suggest
from eosfm.datasets import DATASETS
from eosfm.features.frozen import SCRATCH
from eosfm.nn.backbone import WEIGHT_FILES
from eosfm.params import Params
from eosfm.planning.dvc_faults import dvc_errors
from eosfm.planning.findings import Finding, fault, note, one_line
from eosfm.planning.fits import baseline_work, evaluation_work
from eosfm.planning.plan import disk_need, largest_archive
from eosfm.planning.stores import PlannedStore, planned_store
from eosfm.planning.tasks import PlannedTask, planned_task
from eosfm.planning.work import Work

LINKS = ("reflink", "hardlink", "symlink")
"""Ways in which DVC puts a file into the project without a second copy."""
SHARED = Path("/dev/shm")
"""Memory that processes share, on Linux."""
LEAST_SHARED = 1 << 30
"""Bytes of it: some batches of eight images of 512 px and thirteen bands, for each loader."""


def check_weights(params: Params) -> Iterator[Finding]:
    """Published start weights, where these are wanted."""
    if not params.imagenet:
        return
    from huggingface_hub import constants, try_to_load_from_cache
    from timm import is_model
    from timm.models import get_pretrained_cfg

    name = params.backbone.name
    config = get_pretrained_cfg(name) if is_model(name) else None
    if config is None or not config.hf_hub_id:
        yield fault(
            f"no pretrained weights are published for backbone {name!r}; set "
            "backbone.pretrained=false"
        )
        return
    hub = config.hf_hub_id
    if any(isinstance(try_to_load_from_cache(hub, file), str) for file in WEIGHT_FILES):
        yield note(f"pretrained weights of {name} are in the Hugging Face cache")
    elif constants.HF_HUB_OFFLINE:
        yield fault(
            f"pretrained weights of {name} are not in the Hugging Face cache, and HF_HUB_OFFLINE "
            f"forbids the download; run `hf download {hub}` where there is a network and copy the "
            "cache (HF_HOME) here, or set backbone.pretrained=false"
        )
    else:
        yield note(f"pretrained weights of {name} are downloaded from {hub}")


def check_country(params: Params) -> Iterator[Finding]:
    """Whether the carbon intensity of the country is known, or no energy would be counted."""
    from codecarbon.input import DataSource

    known = DataSource().get_global_energy_mix_data()
    if params.energy.country not in known:
        yield fault(
            f"energy.country is {params.energy.country}, which CodeCarbon does not know; "
            f"{suggest(params.energy.country, list(known))}"
        )


def check_plan(params: Params, project: Path) -> Iterator[Finding]:
    """Heads, metrics, adaptation and the sizes of all stores; then the room on the disks."""
    stores: dict[str, PlannedStore] = {}
    tasks: list[PlannedTask] = []
    scratch = 0.0
    for name, entry in params.datasets.items():
        if entry.reader in DATASETS:
            try:
                stores[name] = planned_store(params, name)
            except EosfmError as error:
                yield fault(one_line(error))
    for name, own in params.tasks.items():
        if own.dataset in stores:
            try:
                task = planned_task(params, name, stores[own.dataset])
                # Which builds the fusion and the heads.
                fits = evaluation_work(task, params.fusion) + baseline_work(task)
            except EosfmError as error:
                yield fault(one_line(error))
                continue
            tasks.append(task)
            scratch = max(scratch, fits.scratch_gb)
    yield from _check_disks(params, project, disk_need(params, project, stores, tasks), scratch)


def _check_disks(params: Params, project: Path, need: Work, scratch_gb: float) -> Iterator[Finding]:
    """Add up what goes to each disk; DVC's cache takes a second copy where it cannot link."""
    cache, link = project / ".dvc" / "cache", None
    if (project / ".dvc").is_dir():
        cache, link = _cache(project)
        if link is None:
            yield note(
                f"DVC copies files between its cache ({cache}) and the project, so that tiles and "
                "features count twice; let cache.type name a link that this disk can make "
                f"({', '.join(LINKS)}), or move the cache with `dvc cache dir`"
            )
        else:
            yield note(f"DVC links files from its cache ({cache}) by {link}")
    else:
        yield fault(f"{project.resolve()} is no DVC project; run in the folder with dvc.yaml")
    outs = need.tiles_gb + need.features_gb
    # While an archive is unpacked, it lies beside what it holds.
    archives = need.archives_gb + largest_archive(params, project)
    places = [
        (Path(params.archives).expanduser(), archives), (cache, outs), (SCRATCH, scratch_gb)
    ]  # fmt: skip
    if link is None:
        places.append((project / "data", outs))
    by_disk: dict[int, list[tuple[Path, float]]] = defaultdict(list)
    for place, gigabytes in places:
        if not gigabytes:
            continue
        there = _existing(project / place)
        by_disk[there.stat().st_dev].append((there, gigabytes))
    for shares in by_disk.values():
        folder, needed = shares[0][0], sum(gigabytes for _, gigabytes in shares)
        free = shutil.disk_usage(folder).free / 1e9
        text = f"the disk of {folder} has {free:,.1f} GB free; a run needs about {needed:,.1f} more"
        if needed > free:
            yield fault(f"{text}; free some, or set archives, a root or DVC's cache elsewhere")
        else:
            yield note(text)


def _cache(project: Path) -> tuple[Path, str | None]:
    """DVC's cache, and the first configured link that its disk can make; None where it copies."""
    from dvc.fs import localfs
    from dvc.repo import Repo
    from dvc_objects.fs.generic import test_links

    with dvc_errors():
        opened = Repo(str(project))
    with opened as repo:
        path = _existing(Path(repo.cache.local.path))
        able = test_links(list(LINKS), localfs, str(path), localfs, str(project.resolve()))
        wanted = repo.cache.local.cache_types
    best = next(iter([kind for kind in wanted if kind in able or kind == "copy"]), "copy")
    return path, None if best == "copy" else best


def _existing(path: Path) -> Path:
    """A folder, or the nearest above it that is there."""
    return next(folder for folder in (path, *path.resolve().parents) if folder.is_dir())


def check_gpu(params: Params) -> Iterator[Finding]:
    """The accelerator that is asked for, and the one that ``full`` needs."""
    import torch

    asked, count = params.trainer.accelerator, torch.cuda.device_count()
    devices = params.trainer.devices
    most, task = max(((params.task(name).devices, name) for name in params.tasks), default=(1, ""))
    if asked in ("gpu", "cuda") and not count:
        yield fault(
            f"trainer.accelerator is {asked}, and torch sees no GPU here; install its driver, or "
            "set trainer.accelerator=auto"
        )
    elif isinstance(devices, int) and asked != "cpu" and devices > count > 0:
        yield fault(f"trainer.devices is {devices}, and torch sees {count} GPUs; set it to less")
    elif most > count > 0:
        yield fault(f"tasks.{task}.devices is {most}, and torch sees {count} GPUs; set it to less")
    elif not count and params.scale == "full":
        yield note(
            "torch sees no GPU; at scale full, `eosfm plan --gpu cpu` says how long it takes"
        )
    elif count:
        yield note(f"{count} GPU: {torch.cuda.get_device_name(0)}")


def check_cores(params: Params) -> Iterator[Finding]:
    """Loaders against cores: said here once, where stages would warn of every loader."""
    cores, scale = usable_cores(), params.current
    asked = {"train": scale.train.workers, "protocol": scale.protocol.workers}
    if above := {key: workers for key, workers in asked.items() if workers > cores}:
        keys = " and ".join(f"scales.{params.scale}.{key}.workers" for key in above)
        yield note(
            f"{max(above.values())} loader processes are asked for, and there {_cores(cores)}; "
            f"set {keys} to at most {cores}"
        )


def check_shared_memory(params: Params) -> Iterator[Finding]:
    """Room for what loaders hand over: Docker gives a container 64 MB if not asked for more."""
    scale = params.current
    if not (max(scale.train.workers, scale.protocol.workers) and SHARED.is_dir()):
        return
    there = shutil.disk_usage(SHARED).total
    if there < LEAST_SHARED:
        yield fault(
            f"{SHARED} has {there / 1e6:.0f} MB, through which loader processes hand over batches; "
            "give it more (of a container: docker run --shm-size=8g), or set "
            f"scales.{params.scale}.train.workers and scales.{params.scale}.protocol.workers to 0"
        )


def _cores(count: int) -> str:
    return "is 1 core" if count == 1 else f"are {count} cores"
