"""What evaluation takes: choices of specialists, and fits of heads."""

from collections.abc import Sequence
from dataclasses import replace

from eosfm.core.splits import SPLITS
from eosfm.encoding.input import InputSpec
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.forward_selection import CELLS, MOST
from eosfm.evaluation.head import CHOICE, selects
from eosfm.evaluation.ridge import SAMPLES
from eosfm.evaluation.single import SHORTLIST, shortened
from eosfm.features.frozen import KEPT_GB, MEMORY_GB
from eosfm.features.task import CLOSED_FORM
from eosfm.fusion.fuser import PUBLISHED
from eosfm.params import Fusion
from eosfm.planning.cost import (
    Cost,
    encoder_channels,
    encoder_cost,
    probe_cost,
    scratch_head_cost,
)
from eosfm.planning.memory import loading_gb
from eosfm.planning.tasks import PlannedTask
from eosfm.planning.work import GB, Work, total

NOTHING = Cost(0, 0)

SELECTION_GB = 1.0
"""Forward selection's samples of all pyramids, and their principal components."""


def evaluation_work(planned: PlannedTask, fusion: Fusion) -> Work:
    """The evaluate stage: choice of specialists, and the fits of all seeds."""
    inputs, work = _with_bands(planned.inputs, fusion), _samples(planned, planned.stored)
    forward, published = fusion.selection == "forward", fusion.selection.startswith(PUBLISHED)
    # Gates select in the fit if encoders train as well; as published, all run to its end.
    in_fit = published or (not forward and planned.protocol.fine_tune)
    if planned.task.head not in CLOSED_FORM and not in_fit:
        members = len({spec.name for spec in inputs if not spec.spectral})
        if not forward and selects(fusion, members):
            work += _gates(planned, fusion, inputs)
        inputs = _first(inputs, MOST if fusion.max_encoders == "auto" else fusion.limit)
    if planned.protocol.fine_tune:
        work += _end_to_end(planned, fusion, inputs, planned.protocol.seeds)
    else:
        work += _fits(planned, fusion, inputs, planned.protocol.seeds, planned.stored_for(fusion))
    return work.needing(_memory(planned))


def _gates(planned: PlannedTask, fusion: Fusion, inputs: Sequence[InputSpec]) -> Work:
    """The fit by which gates choose specialists, taken to last as long as it may."""
    task, protocol = planned.task.with_linear_head(), planned.protocol
    steps = -(-protocol.epochs * planned.steps // CHOICE)
    once = {"epochs": 1, "steps_per_epoch": steps, "late_fusion": False}
    task = replace(task, protocol=protocol.model_copy(update=once))
    store = replace(planned.store, scenes=planned.store.scenes | {"val": 0, "test": 0})
    chosen = replace(planned, task=task, store=store)
    return _fits(chosen, fusion, inputs, 1, planned.stored_for(fusion))


def baseline_work(planned: PlannedTask) -> Work:
    """The baseline stage: random and start weights, specialists alone, from scratch, pixels."""
    count, inputs = planned.protocol.baseline_seeds, _with_bands(planned.inputs, FIXED)
    # Every fit has random weights of its own.
    random = [_random(planned, inputs)] * count
    adapted = replace(inputs[0], channel_map=tuple(range(len(planned.task.bands))))
    bands = [spec for spec in inputs if spec.spectral]
    start = _scratch_features(planned, (adapted, *bands), count)
    works = [
        *random,
        start,
        _single(planned, count),
        _from_scratch(planned, (adapted, *bands), count),
    ]
    return total(works).needing(_memory(planned))


def _random(planned: PlannedTask, inputs: Sequence[InputSpec]) -> Work:
    """One fit on features of random weights: all are looked at, and few kept."""
    if planned.task.head in CLOSED_FORM:
        return _scratch_features(planned, inputs, 1)
    work = _scratch_features(planned, _first(inputs, MOST), 1)
    members = {spec.name for spec in inputs if not spec.spectral}
    return work + _samples(planned, stored=False) if selects(FIXED, len(members)) else work


def _scratch_features(planned: PlannedTask, inputs: Sequence[InputSpec], count: int) -> Work:
    """Fits on features of other weights, in scratch files under the limit for stored ones."""
    gigabytes = replace(planned, inputs=tuple(inputs)).features_bytes / GB
    fits = gigabytes <= planned.max_gb
    work = _fits(planned, FIXED, inputs, count, fits)
    if fits:
        work += planned.encoding(sum(map(planned.items, SPLITS)), inputs)
        work = replace(work, scratch_gb=work.scratch_gb + gigabytes)
    return work


def _single(planned: PlannedTask, count: int) -> Work:
    """The best specialist alone: a short fit of some, and the whole protocol of one."""
    task, scenes = planned.task, planned.store.scenes
    inputs = _with_bands(planned.inputs, FIXED)
    fed = [spec for spec in inputs if not spec.spectral]
    members = len({spec.name for spec in fed})
    # Each has as many inputs, about.
    alone = (*fed[: max(1, round(len(fed) / members))], *inputs[len(fed) :])
    stored = planned.stored_for(FIXED)
    works = [_samples(planned, stored)]
    if (listed := min(SHORTLIST, members)) > 1:
        protocol = shortened(task.protocol, planned.steps)
        protocol = protocol.model_copy(update={"late_fusion": False})
        # Validation tiles take the place of the test tiles.
        store = replace(planned.store, scenes=scenes | {"test": scenes["val"]})
        short = replace(planned, task=replace(task, protocol=protocol), store=store)
        works += [_fits(short, FIXED, alone, 1, stored)] * listed
    return total([*works, _fits(planned, FIXED, alone, count, stored)])


def _fits(
    planned: PlannedTask, fusion: Fusion, inputs: Sequence[InputSpec], seeds: int, stored: bool
) -> Work:
    """Fits of heads on frozen features: what is not stored is encoded once for all seeds."""
    if planned.task.head in CLOSED_FORM:
        return Work() if stored else _closed_form(planned, inputs)
    head, item = probe_cost(planned.task, fusion, inputs)
    prepared = {split: planned.tiles(split) * item / GB for split in SPLITS}
    # Tiles that are seen whole are prepared once, in memory, in a file, or anew for every batch.
    whole = planned.task.windows.count == 1
    kept = {split for split, gigabytes in prepared.items() if whole and gigabytes <= KEPT_GB}
    scratch = sum(prepared[split] for split in kept if prepared[split] > MEMORY_GB)
    work = Work(loads=planned.fitting(seeds, NOTHING, head), scratch_gb=scratch)
    if stored:
        return work + Work(images=seeds * (planned.learned + planned.scored))
    passes = {
        "train": planned.learned,
        "val": planned.validations * planned.items("val"),
        "test": planned.items("test"),
    }
    for split in SPLITS:
        work += planned.encoding(planned.tiles(split) if split in kept else passes[split], inputs)
    return work


def _closed_form(planned: PlannedTask, inputs: Sequence[InputSpec]) -> Work:
    """A head without steps on what is encoded as it is read: some tiles by all specialists."""
    once = sum(map(planned.items, SPLITS))
    if planned.task.head == "knn":  # the references anew for each of the two other splits
        return planned.encoding(once + planned.items("train"), inputs)
    known, unseen = (min(planned.items(split), SAMPLES) for split in SPLITS[:2])
    few = _first(inputs, MOST)
    return planned.encoding(known + unseen, inputs) + planned.encoding(once, few)


def _samples(planned: PlannedTask, stored: bool) -> Work:
    """The items of training and validation by which specialists are ranked, or chosen."""
    items = sum(min(planned.items(split), CELLS) for split in SPLITS[:2])
    return Work(images=items) if stored else planned.encoding(items, planned.inputs)


def _from_scratch(planned: PlannedTask, inputs: Sequence[InputSpec], count: int) -> Work:
    """One backbone trained on images; a head in closed form then gets its features."""
    if planned.task.head not in CLOSED_FORM:
        return _end_to_end(planned, FIXED, inputs, count)
    task, dates = planned.task.with_linear_head(), len(planned.task.dates)
    one = encoder_cost(planned.backbone, len(task.bands), *task.windows.size)
    head = scratch_head_cost(task, encoder_channels(planned.backbone))
    images = count * (planned.learned + planned.scored) * dates
    loads = planned.fitting(count, replace(one, macs=dates * one.macs), head)
    closed = _scratch_features(planned, inputs, 1)
    return total([Work(images, images, loads=loads), *[closed] * count])


def _end_to_end(
    planned: PlannedTask, fusion: Fusion, inputs: Sequence[InputSpec], seeds: int
) -> Work:
    """Encoders trained along with fusion and head, once per seed."""
    dates = len(planned.task.dates)
    head, _ = probe_cost(planned.task, fusion, inputs)
    each = planned.encoder_costs(inputs)
    encoders = Cost(dates * sum(c.macs for c in each), sum(c.operations for c in each))
    images = seeds * (planned.learned + planned.scored) * dates
    loads = planned.fitting(seeds, encoders, head)
    return Work(images, images * len(each), loads=loads)


def _first(inputs: Sequence[InputSpec], most: int | None) -> tuple[InputSpec, ...]:
    """The bands, and the inputs of the specialists that come first, for those that are chosen."""
    members = list(dict.fromkeys(spec.name for spec in inputs if not spec.spectral))[:most]
    return tuple(spec for spec in inputs if spec.spectral or spec.name in members)


def _with_bands(inputs: Sequence[InputSpec], fusion: Fusion) -> tuple[InputSpec, ...]:
    """The inputs that a fusion uses."""
    return tuple(spec for spec in inputs if fusion.spectral or not spec.spectral)


def _memory(planned: PlannedTask) -> float:
    weights = 3 * 14e6 * len(planned.inputs) / GB  # of encoders on the host; copies come and go
    return loading_gb(planned.protocol.workers, planned.batch_bytes) + weights + SELECTION_GB
