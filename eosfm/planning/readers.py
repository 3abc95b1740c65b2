"""Whether specialists, tasks and the ensemble's use fit the datasets and each other.

Neither torch nor a file of data is needed, so the first stage of a run asks all of it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from eosfm.core.bands import BANDS, find
from eosfm.core.errors import EosfmError, suggest
from eosfm.core.validation import read_yaml
from eosfm.datasets import DATASETS, get_dataset
from eosfm.datasets.native.copy import NativeCopy
from eosfm.datasets.native.spec import Dataset
from eosfm.kinds import get_kind
from eosfm.params import Params, SpecialistParams, TaskParams
from eosfm.planning.findings import Finding, fault, refusals
from eosfm.simulation.recipes import RECIPES, get_recipe
from eosfm.tiles.tiling import stored_tile
from eosfm.training.augmentation import check_augmentation
from eosfm.training.recipe import Recipe

Reader = SpecialistParams | TaskParams

MADE = (
    "data/features", "data/raw", "data/roots", "data/tiles", "models", "results",
    "analyses/plots", "analyses/results",
)  # fmt: skip
"""Folders with outputs of stages, which DVC deletes before a stage writes them again."""


def refuse_misfits(params: Params, project: Path) -> None:
    """Stop a run of which a stage would fail.

    Raises:
        EosfmError: The first fault.
    """
    known = {name: get_dataset(entry.reader) for name, entry in params.datasets.items()}
    for dataset in known.values():
        get_kind(dataset.kind)
    checked = check_sources(params), check_readers(params, known), check_tasks(params, known)
    for found in chain(*checked, check_ensemble(params, project)):
        raise EosfmError(found.text)


def check_sources(params: Params) -> Iterator[Finding]:
    """Datasets that cannot be simulated, and copies that would not be read, or be deleted."""
    for name, entry in params.datasets.items():
        if (source := params.source(name)) != "simulated":
            yield from _check_place(params, name)
            continue
        if entry.reader not in DATASETS:
            continue
        if entry.reader not in RECIPES:
            yield from refusals(partial(get_recipe, entry.reader))
        yield from refusals(
            partial(NativeCopy, name, entry.reader, source, entry.root, params.archives)
        )


def _check_place(params: Params, name: str) -> Iterator[Finding]:
    """A copy in or around a folder of outputs, by the path given or by what it leads to."""
    root = params.dataset(name).root
    key, given = ("archives", params.archives) if root is None else (f"datasets.{name}.root", root)
    folder = Path(given).expanduser()
    places = {Path(os.path.abspath(folder)), folder.resolve()}
    for made in MADE:
        beside = {Path(os.path.abspath(made)), Path(made).resolve()}
        if any(place.is_relative_to(other) for place in places for other in beside):
            yield fault(
                f"{key} is {given}, which lies in {made}, where runs delete what stages made "
                f"before; move the copy elsewhere, and set {key} to its new place"
            )
            return
        if root is not None and any(o.is_relative_to(p) for p in places for o in beside):
            yield fault(
                f"{key} is {given}, which holds {made}, where runs write, so that its files would "
                f"never stay the same; give the copy a folder of its own, and set {key} to it"
            )
            return


def check_readers(params: Params, known: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Check bands and losses against the datasets that they are used on.

    Also tile sizes against bands, scaling and augmentation of recipes, and batch sizes against
    processes.
    """
    for name, named in known.items():
        yield from refusals(partial(stored_tile, replace(named, name=name), params.tile_size(name)))
    readers: list[tuple[str, Reader]] = [
        *((f"specialists.{name}", params.specialist(name)) for name in params.specialists),
        *((f"tasks.{name}", params.task(name)) for name in params.tasks),
    ]
    for key, reader in readers:
        if (dataset := known.get(reader.dataset)) is None:
            continue  # told already
        missing = [band for band in reader.bands if find(band, dataset.bands) is None]
        if missing:
            yield fault(
                f"{key}.bands has {' '.join(dict.fromkeys(missing))}, which dataset "
                f"{reader.dataset} lacks; it has {' '.join(dataset.bands)}"
            )
        given = [found for band in reader.bands if (found := find(band, dataset.bands))]
        twice = {name for name in given if given.count(name) > 1 and BANDS[name].wavelength}
        if twice and len(set(reader.bands)) == len(reader.bands):
            yield fault(
                f"{key}.bands has {' '.join(reader.bands)}, of which dataset {reader.dataset} has "
                f"{' '.join(sorted(twice))} alone for two; name it once"
            )
        kind = get_kind(dataset.kind)
        if wrong := kind.misdescribed(len(dataset.classes), dataset.ignore_index):
            yield fault(f"dataset {dataset.name}: {wrong}")
        if isinstance(reader, SpecialistParams):
            if reader.class_weights == "balanced" and kind.unweighted:
                yield fault(
                    f"{key}.class_weights is balanced, but {kind.unweighted}; set it to none"
                )
            yield from refusals(partial(kind.check, f"{key}.loss", reader.loss, kind.losses))
    devices = params.trainer.devices
    processes = devices if isinstance(devices, int) else 1
    for name in params.specialists:
        recipe = Recipe.resolve(params, name)
        yield from refusals(recipe.scaling)
        if dataset := known.get(params.specialist(name).dataset):
            method, kind = recipe.method, get_kind(dataset.kind)
            refused = refusals(
                partial(check_augmentation, method.augmentation, kind, method.scaling)
            )
            yield from (fault(f"specialists.{name}: {one.text}") for one in refused)
            yield from refusals(partial(recipe.require_shares, kind, processes))


def check_units(params: Params, known: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Check the numbers of recipes' scalings against the units of each copy's own edition."""
    for name in params.specialists:
        recipe, dataset = Recipe.resolve(params, name), known.get(params.specialist(name).dataset)
        if dataset is None:
            continue
        units = dict(zip(dataset.bands, dataset.units, strict=True))
        found = {band: find(band, dataset.bands) for band in recipe.bands}
        if None not in found.values():  # told already
            own = {band: units[str(stored)] for band, stored in found.items()}
            yield from refusals(partial(recipe.require_units, own, f"dataset {dataset.name}"))


def check_tasks(params: Params, known: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Heads, metrics, losses and aggregations against the kind of labels.

    How many dates a task has is not known before its tiles are: :func:`check_plan` reckons it.
    """
    for scale, settings in params.scales:
        # A task of the catalogue may be taken out while its options stay.
        for name in (name for name in settings.tasks if name not in (*params.tasks, *DATASETS)):
            yield fault(
                f"scales.{scale}.tasks has {name!r}, no task; {suggest(name, list(params.tasks))}"
            )
    for name, task in ((name, params.task(name)) for name in params.tasks):
        if task.dataset not in known:
            continue
        kind, classes = get_kind(known[task.dataset].kind), known[task.dataset].classes
        repeat = params.task_options(name).repeat
        if repeat and not params.current.protocol.fine_tune:  # which trains a linear head
            from eosfm.features.task import refuse_repeats  # with torch, which watch does without

            yield from refusals(partial(refuse_repeats, name, params.scale, task.head))
        for label in repeat:
            if label not in classes:  # as :class:`TaskInput` says it, after all trainings
                yield fault(
                    f"scales.{params.scale}.tasks.{name}.repeat has {label!r}, no class of it; "
                    f"{suggest(label, classes)}"
                )
        if kind.answer == "object":
            from eosfm.features.task import refuse_objects  # likewise

            yield from refusals(partial(refuse_objects, name, task.dataset, kind))
            continue
        several = (*kind.aggregations(1), *kind.aggregations(2))
        yield from refusals(
            partial(kind.check, f"tasks.{name}.head", task.head, kind.heads),
            partial(kind.check, f"tasks.{name}.metric", task.metric, kind.metrics),
            partial(kind.check, f"tasks.{name}.loss", task.loss or kind.losses[0], kind.losses),
        )
        if task.aggregation not in several:
            valid = ", ".join("null" if one is None else one for one in several)
            yield fault(
                f"tasks.{name}.aggregation {task.aggregation!r} does not fit {kind.name}; valid: "
                f"{valid}"
            )


def check_ensemble(params: Params, project: Path) -> Iterator[Finding]:
    """How many specialists are kept or left out, against those there are.

    An artifact that a user brings (``eosfm use`` freezes export) has others, which the stages that
    read it look at.
    """
    pipeline, members = project / "dvc.yaml", list(params.ensemble)
    if pipeline.exists() and read_yaml(pipeline)["stages"]["export"].get("frozen"):
        return
    limit = params.fusion.limit
    if limit is not None and limit > len(members):
        yield fault(
            f"fusion.max_encoders is {limit}, but the ensemble has {len(members)} specialists; "
            f"choose 1 to {len(members)}, or null for all"
        )
    for name in params.fusion.ablate:
        if name not in members:
            yield fault(f"fusion.ablate has {name!r}, no specialist; {suggest(name, members)}")
    if set(members) <= set(params.fusion.ablate):
        yield fault("fusion.ablate has every specialist of the ensemble; leave one out of it")
