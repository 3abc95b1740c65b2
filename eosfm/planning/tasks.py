"""What encoding and scoring a downstream task takes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

from eosfm.core.splits import SPLITS, Split
from eosfm.encoding.adaptation import plan
from eosfm.encoding.input import InputFormat, InputSpec
from eosfm.encoding.spectral import spectral_input
from eosfm.evaluation.baselines import FIXED
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.forward_selection import CELLS
from eosfm.evaluation.head import starts_from_labels
from eosfm.evaluation.single import LAST, SHORTLIST, shortened
from eosfm.features.encode import item_bytes
from eosfm.features.frozen import KEPT_GB
from eosfm.features.reading import BATCH
from eosfm.features.task import Task
from eosfm.nn.specialist import Specialist
from eosfm.params import Fusion, Params, ScaleProtocol
from eosfm.planning.cost import (
    COMPUTED,
    Cost,
    encoder_channels,
    encoder_cost,
    probe_cost,
    scratch_head_cost,
)
from eosfm.planning.memory import loading_gb
from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import GB, Load, Work, total

NOTHING = Cost(0, 0)

SELECTION_GB = 1.0
"""Forward selection's samples of all pyramids, and their principal components."""


@dataclass(frozen=True)
class PlannedTask:
    """A task that is to be run.

    Attributes:
        task: As its stages resolve it.
        store: Its tiles.
        backbone: Of every specialist.
        inputs: What the specialists of the ensemble are fed with, and the bands themselves.
        max_gb: Features above this are not stored.
    """

    task: Task
    store: PlannedStore
    backbone: str
    inputs: tuple[InputSpec, ...]
    max_gb: float

    @property
    def protocol(self) -> ScaleProtocol:
        """How heads are trained."""
        return self.task.protocol

    def tiles(self, split: Split) -> int:
        """Tiles in use: of training the labelled share, whatever its strata."""
        count = self.store.tiles[split]
        return max(1, round(self.task.label_fraction * count)) if split == "train" else count

    def items(self, split: Split) -> int:
        """Windows of the tiles in use."""
        return self.tiles(split) * self.task.windows.count

    @property
    def features_bytes(self) -> int:
        """Of all pyramids in half precision, or of their averages."""
        # Asks for inputs, windows, dates.
        each = item_bytes(cast(Any, self), cast(Any, self.task), self.task.pools)
        return each * sum(map(self.items, SPLITS))

    @property
    def stored(self) -> bool:
        """Whether the features stage stores them."""
        fits = self.features_bytes / GB <= self.max_gb
        return fits and not self.protocol.fine_tune

    def stored_for(self, fusion: Fusion) -> bool:
        """Whether what is stored will do for a fusion."""
        return self.stored and needs_maps(fusion, self.task) == (not self.task.pools)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        protocol = self.protocol
        return protocol.steps_per_epoch or max(1, self.tiles("train") // protocol.batch_size)

    @property
    def learned(self) -> int:
        """Items that one fit trains on: one window of each tile in an epoch."""
        batch = min(self.protocol.batch_size, self.tiles("train"))
        return self.protocol.epochs * self.steps * batch

    @property
    def scored(self) -> int:
        """Items that one fit validates and tests on."""
        return validations(self.protocol) * self.items("val") + self.items("test")

    @property
    def scoring_items(self) -> int:
        """Items of a batch in validation and test: whole tiles."""
        count = self.task.windows.count
        return max(1, 2 * self.protocol.batch_size // count) * count

    def encoding(self, items: int, inputs: Sequence[InputSpec]) -> Work:
        """Some items through the specialists, all dates."""
        images = items * len(self.task.dates)
        size = self.task.windows.size
        fed = [spec for spec in inputs if not spec.spectral]
        each = [encoder_cost(self.backbone, len(spec.channel_map), *size) for spec in fed]
        batch = min(BATCH, self.protocol.batch_size * len(self.task.dates))
        load = Load(
            encoder_macs=float(images) * sum(cost.macs for cost in each),
            operations=images / batch * sum(cost.operations for cost in each),
        )
        return Work(images, images * len(fed), loads=(load,))

    def fitting(self, fits: int, encoder: Cost, head: Cost) -> tuple[Load, Load]:
        """The training and the scoring of so many fits; each item costs so much."""
        steps = self.learned / min(self.protocol.batch_size, self.tiles("train"))
        batches = self.scored / self.scoring_items
        operations = encoder.operations + head.operations
        each = ((COMPUTED * self.learned, COMPUTED * steps), (self.scored, batches))
        learning, scoring = (
            Load(
                encoder_macs=float(fits * items) * encoder.macs,
                head_macs=float(fits * items) * head.macs,
                operations=fits * calls * operations,
            )
            for items, calls in each
        )
        return learning, scoring

    @property
    def batch_bytes(self) -> int:
        """A batch of windows in the store's own type, with targets."""
        share = prod(self.task.windows.size) / prod(self.store.shape[2:])
        per_date = self.store.read_bytes * len(self.task.dates) / self.store.dates
        items = max(self.protocol.batch_size, self.scoring_items)
        return int(items * share * (per_date + self.store.target_bytes))


def validations(protocol: ScaleProtocol) -> int:
    """How often a fit scores the validation split."""
    return -(-protocol.epochs // protocol.validate_every)


def planned_task(params: Params, name: str, store: PlannedStore) -> PlannedTask:
    """Settle a task as its stages do.

    Raises:
        EosfmError: Head, metric or aggregation do not fit, or no specialist can be fed.
    """
    members = [_untrained(params, specialist) for specialist in params.ensemble]
    task = Task.resolve(params, name, cast(Any, store))  # asks for what a planned one has
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "skipped specialists")
        inputs, _ = plan(members, task.bands, len(task.bands), task.adaptation)
    channels = encoder_channels(params.backbone.name)
    fed = [replace(spec, channels=channels) for spec in inputs]
    if task.standardize == "dataset":
        fed.append(spectral_input(InputFormat(len(task.bands), task.bands)))
    return PlannedTask(task, store, params.backbone.name, tuple(fed), params.encoding.max_gb)


def _untrained(params: Params, name: str) -> Specialist:
    entry = params.specialist(name)
    dates = 2 if entry.date_mode == "stacked" else 1
    bands = entry.bands * dates
    return Specialist(name, params.backbone.name, len(bands), {}, bands, facts={"dates": dates})


def features_work(planned: PlannedTask) -> Work:
    """The features stage: everything encoded once, where it is stored."""
    if not planned.stored:
        return Work().needing(loading_gb(0, 0))
    items = sum(map(planned.items, SPLITS))
    targets = items * planned.store.target_bytes / planned.task.windows.count
    return replace(
        planned.encoding(items, planned.inputs),
        features_gb=(planned.features_bytes + targets) / GB,
        memory_gb=loading_gb(planned.protocol.workers, planned.batch_bytes),
    )


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
