"""The tile store that a dataset's entry of params.yaml becomes, before it is cut."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from statistics import fmean

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Dataset, Window
from eosfm.kinds import get_kind
from eosfm.params import Params
from eosfm.planning.facts import ARCHIVES, ArchiveFacts, archive_facts
from eosfm.planning.findings import no_copy, of_copy
from eosfm.tiles.layout import UNLABELLED, image_layouts, target_layout

COUNTED = 30_000
"""Most scenes of a dataset that are opened before a run, since opening each takes time."""

ROW_BYTES = 150
"""Of a tile in the store's tables: id, source file, window, footprint, date."""

OBJECTS = 6
"""Of an image of a detection dataset, and bytes of each: five float32 and its tile."""
OBJECT_BYTES = 24


@dataclass(frozen=True)
class PlannedStore:
    """Estimate of a :class:`eosfm.tiles.store.TileStore` that is not cut yet.

    Assumes that no tile is dropped as nodata, and that no label is missing.

    Attributes:
        name: The dataset's entry.
        dataset: Its facts.
        simulated: Whether its files are painted.
        about: Whether the counts are rounded.
        scenes: Scenes by split; what is not cut has none.
        scene_size: Height and width of a scene.
        dates: Images of a scene.
        tile: Tile size in pixels; None for whole images.
        sizes: Scenes by split, height and width; empty where all have ``scene_size``.
    """

    name: str
    dataset: Dataset
    simulated: bool
    about: bool
    scenes: dict[Split, int]
    scene_size: tuple[int, int]
    dates: int
    tile: int | None
    sizes: Mapping[tuple[Split, int, int], int] = field(default_factory=dict, hash=False)

    @property
    def kind(self) -> str:
        """Name of the task kind."""
        return self.dataset.kind

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands in stored order."""
        return self.dataset.bands

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names by index."""
        return self.dataset.classes

    @property
    def ignore_index(self) -> int:
        """Target value that is never scored."""
        ignored = self.dataset.ignore_index
        return UNLABELLED if ignored is None else ignored

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Dates, bands, height and width of a tile."""
        size = (self.tile, self.tile) if self.tile else self.scene_size
        return (self.dates, len(self.bands), *size)

    @cached_property
    def tiles(self) -> dict[Split, int]:
        """Tiles by split: those at a scene's edges are padded."""
        if self.tile is None:
            return self.scenes
        alike = {(split, *self.scene_size): count for split, count in self.scenes.items()}
        tiles = dict.fromkeys(self.scenes, 0)
        for (split, height, width), count in (self.sizes or alike).items():
            if self.scenes[split]:  # it is cut
                tiles[split] += count * -(-height // self.tile) * -(-width // self.tile)
        return tiles

    @property
    def image_bytes(self) -> int:
        """Bytes of a tile's image as it is stored."""
        layouts = image_layouts(self.dataset.band_groups, self.shape)
        return sum(prod(shape) * dtype.itemsize for dtype, shape in layouts)

    @property
    def read_bytes(self) -> int:
        """Bytes of a tile's image once its bands are put together."""
        return prod(self.shape) * np.dtype(self.dataset.dtype).itemsize

    @property
    def target_bytes(self) -> int:
        """Bytes of a tile's target as it is stored."""
        layout = target_layout(
            self.kind, len(self.classes), self.shape[2:], self.ignore_index,
            self.dataset.target_steps,
        )  # fmt: skip
        if layout is None:
            return OBJECTS * OBJECT_BYTES
        dtype, shape = layout
        return prod(shape) * dtype.itemsize

    @property
    def bytes(self) -> int:
        """Of the whole store."""
        each = self.image_bytes + self.target_bytes + ROW_BYTES
        return sum(self.tiles.values()) * each


def planned_store(params: Params, name: str) -> PlannedStore:
    """The store of a dataset's entry.

    For a part of an archive (``scenes: any``), and for a copy of one without a known size, the
    scenes on disk are counted.

    Raises:
        EosfmError: Nobody knows how large the archive is, a copy lacks files, or the dataset is
            described as no store can hold it.
    """
    entry = params.dataset(name)
    dataset, facts = get_dataset(entry.reader), ARCHIVES.get(entry.reader)
    simulated = params.source(name) == "simulated"
    root = Path(entry.root).expanduser() if entry.root else None
    if root and root.is_dir() and not simulated:
        try:
            dataset = replace(dataset.below(root), name=name)
            if facts is None or (entry.scenes == "any" and countable(dataset, facts)):
                facts = part_facts(dataset, root, facts)
        except EosfmError as error:
            raise EosfmError(of_copy(name, error)) from None
    if facts is None and entry.root and not simulated:
        raise EosfmError(no_copy(name, dataset.title, entry.root))
    facts = facts or archive_facts(entry.reader)
    tile = params.tile_size(name) if get_kind(dataset.kind).answer != "image" else None
    scene_size, dates = (facts.height, facts.width), facts.dates
    counts: dict[Split, int] = {split: getattr(facts, split) for split in SPLITS}
    if simulated and entry.simulated is not None:
        scene_size = (entry.simulated.size, entry.simulated.size)
        dates = facts.simulated_dates or facts.dates
        # A split that the archive does not have is not painted either.
        painted = {split: getattr(entry.simulated, split) for split in SPLITS}
        counts = {split: painted[split] if counts[split] else 0 for split in SPLITS}
    scenes = {split: count if split in entry.splits else 0 for split, count in counts.items()}
    sizes = {} if simulated else facts.sizes
    return PlannedStore(
        name, dataset, simulated, facts.about and not simulated, scenes, scene_size, dates, tile,
        sizes,
    )  # fmt: skip


def countable(dataset: Dataset, facts: ArchiveFacts | None) -> bool:
    """Whether a whole copy has few enough scenes to look at each."""
    about = facts.train + facts.val + facts.test if facts else 0
    return 0 < (sum(dataset.published.values()) or about) <= COUNTED


def part_facts(dataset: Dataset, root: Path, archive: ArchiveFacts | None) -> ArchiveFacts | None:
    """How large a part of an archive is: its scenes by split and size, and their mean size.

    Raises:
        EosfmError: A scene lacks a file.
    """
    scenes = list(dataset.scenes(root))
    if not scenes:
        return archive
    counts = Counter(scene.split for scene in scenes)
    return ArchiveFacts(
        train=counts["train"],
        val=counts["val"],
        test=counts["test"],
        height=round(fmean(scene.height for scene in scenes)),
        width=round(fmean(scene.width for scene in scenes)),
        source="the copy",
        dates=archive.dates if archive else len(scenes[0].image(Window(0, 0, 1, 1))),
        about=True,
        sizes=Counter((scene.split, scene.height, scene.width) for scene in scenes),
    )


def planned_stores(params: Params) -> dict[str, PlannedStore]:
    """All stores, by entry."""
    return {name: planned_store(params, name) for name in params.datasets}
