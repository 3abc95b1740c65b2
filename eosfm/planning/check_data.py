"""Whether each dataset can be had and read, and fits those that read it."""

import shutil
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching.counts import check_counts, count_scenes
from eosfm.datasets.fetching.record import FOLDER
from eosfm.datasets.native.archives import by_hand
from eosfm.datasets.native.copy import NativeCopy
from eosfm.datasets.native.spec import Dataset, Scene, Window
from eosfm.kinds import get_kind
from eosfm.params import Params
from eosfm.planning.declared import contradictions
from eosfm.planning.facts import ARCHIVES
from eosfm.planning.findings import Finding, fault, no_copy, note, of_copy
from eosfm.planning.readers import Reader, check_readers, check_sources, check_units
from eosfm.planning.stores import countable
from eosfm.simulation.recipes import RECIPES

LOOK = 64
"""Pixels of the first scene that are read, in height and width."""

COPIER = "azcopy"
"""The program that torchgeo calls where a dataset has no plain addresses."""


def check_datasets(params: Params) -> Iterator[Finding]:
    """Look at every dataset in turn; nothing is downloaded, and of a copy one window is read."""
    readers: list[Reader] = [*params.specialists.values(), *params.tasks.values()]
    read = {reader.dataset for reader in readers}
    known: dict[str, Dataset] = {}
    for name, entry in params.datasets.items():
        if name not in read:
            yield note(
                f"datasets.{name}: no specialist and no task reads it, yet `dvc repro` fetches and "
                "cuts it; take its entry out, or leave it"
            )
        try:
            dataset = get_dataset(entry.reader)
            get_kind(dataset.kind)
            known[name] = dataset
        except EosfmError as error:
            yield fault(f"datasets.{name}.reader: {error}")
            continue
        root = Path(entry.root).expanduser() if entry.root else None
        if root and root.is_dir():
            try:
                known[name] = replace(known[name].below(root), name=name)
            except EosfmError as error:
                yield fault(of_copy(name, error))
                continue
        yield from _check_dataset(params, name, known[name])
    yield from check_sources(params)
    yield from check_readers(params, known)
    yield from check_units(params, known)


def _check_dataset(params: Params, name: str, dataset: Dataset) -> Iterator[Finding]:
    entry = params.dataset(name)
    source = params.source(name)
    if source == "simulated":
        return
    copy = NativeCopy(name, entry.reader, source, entry.root, params.archives)
    if entry.root is None:
        yield from _check_download(name, dataset, copy.folder)
    elif not copy.folder.is_dir():
        yield fault(no_copy(name, dataset.title, entry.root))
    else:
        whole = entry.scenes == "published"
        own = entry.reader not in RECIPES  # each dataset of the catalogue has one
        few = own or countable(dataset, ARCHIVES.get(entry.reader))
        splits = entry.splits if few else ()
        yield from _check_copy(dataset, copy.folder, entry.tile, whole, splits, own)


def _check_download(name: str, dataset: Dataset, folder: Path) -> Iterator[Finding]:
    source = dataset.source
    if request := by_hand(replace(dataset, name=name)):
        yield fault(request)
        return
    done = len(list((folder / FOLDER).glob("*.gz")))
    there = f" ({done} of its files were already)" if done else ""
    yield note(f"datasets.{name}: {source.size_gb:g} GB are downloaded to {folder}{there}")
    if source.download is not None and shutil.which(COPIER) is None:
        yield fault(
            f"datasets.{name} is fetched with {COPIER}, which is not on the PATH; install it from "
            f"its maker, or set datasets.{name}.root to a copy"
        )


def _check_copy(
    dataset: Dataset,
    folder: Path,
    tile: int | None,
    whole: bool,
    splits: Sequence[Split],
    own: bool,
) -> Iterator[Finding]:
    """Read a window of the first scene, readers being lazy, and look whether the others are there.

    Args:
        dataset: By the name of the entry.
        folder: Its copy.
        tile: Tile size in the entry; None for whole images, as those with one label always are.
        whole: Whether it must have as many scenes as its publisher says, or the first copy had.
        splits: Those that are cut, each of which must have a scene; none where there are too many
            to look at each.
        own: Whether it is no dataset of the catalogue.
    """
    name = dataset.name
    try:
        scene = next(iter(dataset.scenes(folder)), None)
        if scene is None:
            yield fault(no_copy(name, dataset.title, str(folder)))
            return
        window = Window(0, 0, min(LOOK, scene.height), min(LOOK, scene.width))
        image = np.asarray(scene.image(window))
        wrong = get_kind(dataset.kind).fault(
            np.asarray(scene.target(window)),
            (window.height, window.width),
            len(dataset.classes),
            dataset.ignore_index,
        )
        if wrong:
            yield fault(
                f"datasets.{name}: scene {scene.id} of {folder} has {wrong}; check its files"
            )
            return
        if splits:
            sizes: set[tuple[int, int]] = set()
            counts = count_scenes(_noting(dataset, splits, sizes), folder)
            if whole:
                check_counts(dataset, folder, counts, keep=False)
            yield from (
                fault(
                    f"datasets.{name}: {folder} has no scene of split {split}; have it hold out "
                    f"more for {split}, or leave {split} out of datasets.{name}.splits"
                )
                for split in splits
                if not counts[split]
            )
            one_label = get_kind(dataset.kind).answer == "image"  # such images are never cut
            if (tile is None or one_label) and len(sizes) > 1:
                least, most = (f"{h} x {w}" for h, w in (min(sizes), max(sizes)))
                cure = f"set datasets.{name}.tile to cut them"
                if one_label:
                    cure = "let the reader crop them to it (see `crop` of native/scenes.py)"
                yield fault(
                    f"datasets.{name}: images of {folder} have {len(sizes)} sizes, from {least} to "
                    f"{most} px; whole images must share one: {cure}"
                )
        hints = list(contradictions(dataset, scene, own))
    except (EosfmError, OSError) as error:
        yield fault(of_copy(name, error))
        return
    except Exception as error:  # of a reader, which is anybody's code: others are checked still
        place = traceback.extract_tb(error.__traceback__)[-1]
        yield fault(
            f"datasets.{name}: its reader ends in {type(error).__name__} "
            f"({' '.join(str(error).split())[:120]}) at {Path(place.filename).name}, line "
            f"{place.lineno}; correct the reader, or what it reads of {folder}"
        )
        return
    bands = scene.bands or dataset.bands
    expected = (len(bands), window.height, window.width)
    if image.shape[1:] != expected or image.dtype != dataset.dtype:
        yield fault(
            f"datasets.{name}: scene {scene.id} of {folder} gives {image.dtype} of shape "
            f"{image.shape}; expected {dataset.dtype}, dates and {expected}; check its "
            "files and its reader (for a series, raster_scene takes `dates` or `frames`)"
        )
        return
    yield note(
        f"datasets.{name}: {folder} can be read, first scene {scene.id} of {scene.height} x "
        f"{scene.width} px" + ("" if splits else "; its many scenes are not counted here")
    )
    yield from (note(f"datasets.{name}: {told}") for told in hints)


def _noting(dataset: Dataset, splits: Sequence[Split], sizes: set[tuple[int, int]]) -> Dataset:
    """The dataset, which adds the height and width of each scene of these splits that it gives."""

    def noted(root: Path) -> Iterator[Scene]:
        for scene in dataset.reader(root) or ():
            if scene.split in splits:
                sizes.add((scene.height, scene.width))
            yield scene

    return replace(dataset, reader=noted)
