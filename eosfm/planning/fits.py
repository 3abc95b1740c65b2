"""What evaluation takes: choices of specialists, and fits of heads."""

from collections.abc import Sequence
from dataclasses import replace

from eosfm.core.splits import SPLITS
from eosfm.encoding.input import InputSpec
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.forward_selection import CELLS
from eosfm.evaluation.head import starts_from_labels
from eosfm.evaluation.single import LAST, SHORTLIST, shortened
from eosfm.features.frozen import KEPT_GB
from eosfm.params import Fusion
from eosfm.planning.cost import (
    Cost,
    encoder_channels,
    encoder_cost,
    probe_cost,
    scratch_head_cost,
)
from eosfm.planning.memory import loading_gb
from eosfm.planning.tasks import PlannedTask, validations
from eosfm.planning.work import GB, Work, total

NOTHING = Cost(0, 0)

SELECTION_GB = 1.0
"""Forward selection's samples of all pyramids, and their principal components."""


def evaluation_work(planned: PlannedTask, fusion: Fusion) -> Work:
    """The evaluate stage: choice of specialists, and the fits of all seeds."""
    inputs, work = _with_bands(planned.inputs, fusion), Work()
    members = list(dict.fromkeys(spec.name for spec in inputs if not spec.spectral))
    limit = fusion.limit
    work += _path(planned)
    if fusion.max_encoders == "auto":  # any number may be chosen
        work += _samples(planned, fusion)
    if limit is not None and limit < len(members):
        work += _samples(planned, fusion)
        # Which are chosen is not known; those that come first stand for them.
        inputs = tuple(spec for spec in inputs if spec.spectral or spec.name in members[:limit])
    if planned.protocol.fine_tune:
        work += _fine_tuning(planned, fusion, inputs)
    else:
        work += _fits(planned, fusion, inputs, planned.protocol.seeds, planned.stored_for(fusion))
    return work.needing(_memory(planned))


def baseline_work(planned: PlannedTask) -> Work:
    """The baseline stage: random and start weights, specialists alone, from scratch, pixels."""
    count, inputs = planned.protocol.baseline_seeds, _with_bands(planned.inputs, FIXED)
    # Every fit has random weights of its own.
    random = [_scratch_features(planned, inputs, 1)] * count
    adapted = replace(inputs[0], channel_map=tuple(range(len(planned.task.bands))))
    bands = [spec for spec in inputs if spec.spectral]
    start = _scratch_features(planned, (adapted, *bands), count)
    works = [*random, start, _single(planned, count), _from_scratch(planned, count)]
    return total(works).needing(_memory(planned))


def _scratch_features(planned: PlannedTask, inputs: Sequence[InputSpec], count: int) -> Work:
    """Fits on features of other weights, in scratch files under the limit for stored ones."""
    fits = planned.features_bytes / GB <= planned.max_gb
    work = _fits(planned, FIXED, inputs, count, fits)
    if fits:
        work += planned.encoding(sum(map(planned.items, SPLITS)), inputs)
    return work


def _single(planned: PlannedTask, count: int) -> Work:
    """The best specialist alone: a short fit of some, and the whole protocol of the last."""
    task, inputs = planned.task, _with_bands(planned.inputs, FIXED)
    fed = [spec for spec in inputs if not spec.spectral]
    members = len({spec.name for spec in fed})
    # Each has as many inputs, about.
    alone = (*fed[: max(1, round(len(fed) / members))], *inputs[len(fed) :])
    stored, works = planned.stored_for(FIXED), [_samples(planned, FIXED)]
    if (listed := min(SHORTLIST, members)) > LAST:
        protocol = shortened(task.protocol, planned.steps)
        short = replace(planned, task=replace(task, protocol=protocol))
        works += [_fits(short, FIXED, alone, 1, stored)] * listed
    works += [_fits(planned, FIXED, alone, count, stored)] * min(LAST, members)
    return total(works)


def _fits(
    planned: PlannedTask, fusion: Fusion, inputs: Sequence[InputSpec], seeds: int, stored: bool
) -> Work:
    """Fits of heads on frozen features: what is not stored is encoded once for all seeds."""
    if planned.task.head in ("knn", "ridge"):
        once = sum(map(planned.items, SPLITS))
        return Work() if stored else planned.encoding(once, inputs)
    head, item = probe_cost(planned.task, fusion, inputs)
    work = Work(loads=planned.fitting(seeds, NOTHING, head))
    if starts_from_labels(planned.task, fusion):
        sampled = min(planned.items("train"), CELLS)
        work += Work(images=sampled) if stored else planned.encoding(sampled, inputs)
    if stored:
        return work + Work(images=seeds * (planned.learned + planned.scored))
    passes = {
        "train": planned.learned,
        "val": validations(planned.protocol) * planned.items("val"),
        "test": planned.items("test"),
    }
    for split in SPLITS:
        kept = planned.task.windows.count == 1 and planned.tiles(split) * item / GB <= KEPT_GB
        work += planned.encoding(planned.tiles(split) if kept else passes[split], inputs)
    return work


def _samples(planned: PlannedTask, fusion: Fusion) -> Work:
    """The items of training and validation from which specialists are ranked."""
    if planned.stored_for(fusion):
        return Work()
    items = sum(min(planned.items(split), CELLS) for split in SPLITS[:2])
    return planned.encoding(items, planned.inputs)


def _path(planned: PlannedTask) -> Work:
    """The items of which forward selection tells what specialists explain; the page shows it."""
    items = sum(min(planned.items(split), CELLS) for split in SPLITS[:2])
    return Work(images=items) if planned.stored else planned.encoding(items, planned.inputs)


def _from_scratch(planned: PlannedTask, count: int) -> Work:
    """One backbone and its head, trained on images, once per seed."""
    task, dates = planned.task, len(planned.task.dates)
    one = encoder_cost(planned.backbone, len(task.bands), *task.windows.size)
    head = scratch_head_cost(task, encoder_channels(planned.backbone))
    images = count * (planned.learned + planned.scored) * dates
    loads = planned.fitting(count, replace(one, macs=dates * one.macs), head)
    return Work(images, images, loads=loads)


def _fine_tuning(planned: PlannedTask, fusion: Fusion, inputs: Sequence[InputSpec]) -> Work:
    """Encoders trained along with fusion and head, once per seed."""
    seeds, dates, size = planned.protocol.seeds, len(planned.task.dates), planned.task.windows.size
    head, _ = probe_cost(planned.task, fusion, inputs)
    fed = [spec for spec in inputs if not spec.spectral]
    each = [encoder_cost(planned.backbone, len(spec.channel_map), *size) for spec in fed]
    encoders = Cost(dates * sum(c.macs for c in each), sum(c.operations for c in each))
    images = seeds * (planned.learned + planned.scored) * dates
    loads = planned.fitting(seeds, encoders, head)
    return Work(images, images * len(fed), loads=loads)


def _with_bands(inputs: Sequence[InputSpec], fusion: Fusion) -> tuple[InputSpec, ...]:
    """The inputs that a fusion uses."""
    return tuple(spec for spec in inputs if fusion.spectral or not spec.spectral)


def _memory(planned: PlannedTask) -> float:
    weights = 3 * 14e6 * len(planned.inputs) / GB  # of encoders on the host; copies come and go
    return loading_gb(planned.protocol.workers, planned.batch_bytes) + weights + SELECTION_GB
