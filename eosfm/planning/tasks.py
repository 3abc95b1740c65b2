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
from eosfm.evaluation.feature_fusion import needs_maps
from eosfm.evaluation.late_fusion import fuses_late
from eosfm.features.encode import item_bytes
from eosfm.features.reading import BATCH
from eosfm.features.task import Task
from eosfm.nn.specialist import Specialist
from eosfm.params import Fusion, Params, ScaleProtocol
from eosfm.planning.cost import COMPUTED, Cost, encoder_channels, encoder_cost
from eosfm.planning.memory import loading_gb
from eosfm.planning.stores import PlannedStore
from eosfm.planning.work import GB, Load, Work


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
        each = item_bytes(self.inputs, self.task, self.task.pools)
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
    def one_pass(self) -> int:
        """Tiles of one pass of training, at most: as if each showed the class repeated most."""
        # How many tiles show a class is known once they are cut.
        return max(self.task.repeat.values(), default=1) * self.tiles("train")

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        protocol = self.protocol
        return protocol.steps_per_epoch or max(1, self.one_pass // protocol.batch_size)

    @property
    def learned(self) -> int:
        """Items that one fit trains on: a window of each tile that an epoch's pass has."""
        batch = min(self.protocol.batch_size, self.one_pass)
        return self.protocol.epochs * self.steps * batch

    @property
    def scored(self) -> int:
        """Items that one fit validates and tests on."""
        return self.validations * self.items("val") + self.items("test")

    @property
    def validations(self) -> int:
        """How often a fit answers for the validation split; late fusion chooses its share there."""
        protocol = self.protocol
        return -(-protocol.epochs // protocol.validate_every) + fuses_late(self.task)

    @property
    def scoring_items(self) -> int:
        """Items of a batch in validation and test: whole tiles."""
        count = self.task.windows.count
        return max(1, 2 * self.protocol.batch_size // count) * count

    def encoding(self, items: int, inputs: Sequence[InputSpec]) -> Work:
        """Some items through the specialists, all dates."""
        images, each = items * len(self.task.dates), self.encoder_costs(inputs)
        batch = min(BATCH, self.protocol.batch_size * len(self.task.dates))
        load = Load(
            encoder_macs=float(images) * sum(cost.macs for cost in each),
            operations=images / batch * sum(cost.operations for cost in each),
            grouped=len(each) > 1,
        )
        return Work(images, images * len(each), loads=(load,))

    def encoder_costs(self, inputs: Sequence[InputSpec]) -> list[Cost]:
        """Of one window through each specialist."""
        channels = [len(spec.channel_map) for spec in inputs if not spec.spectral]
        return [encoder_cost(self.backbone, count, *self.task.windows.size) for count in channels]

    def fitting(self, fits: int, encoder: Cost, head: Cost) -> tuple[Load, Load]:
        """The training and the scoring of so many fits; each item costs so much."""
        steps = self.learned / min(self.protocol.batch_size, self.one_pass)
        batches = self.scored / self.scoring_items
        operations = encoder.operations + head.operations
        each = ((COMPUTED * self.learned, COMPUTED * steps), (self.scored, batches))
        learning, scoring = (
            Load(
                encoder_macs=float(fits * items) * encoder.macs,
                head_macs=float(fits * items) * head.macs,
                operations=fits * calls * operations,
                head_width=self.protocol.decoder_channels,
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
        return Work(memory_gb=loading_gb(0, 0))
    items = sum(map(planned.items, SPLITS))
    targets = items * planned.store.target_bytes / planned.task.windows.count
    return replace(
        planned.encoding(items, planned.inputs),
        features_gb=(planned.features_bytes + targets) / GB,
        memory_gb=loading_gb(planned.protocol.workers, planned.batch_bytes),
    )
