"""What a dataset is: a frozen description, a reader of its native files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np

from eosfm.core.band_groups import DTYPES, BandGroup, check_groups
from eosfm.core.bands import UNITS, check_bands
from eosfm.core.errors import EosfmError, suggest
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.native.listing import Incomplete
from eosfm.datasets.native.settled import settled
from eosfm.datasets.native.values import holds, numbered


class Window(NamedTuple):
    """A rectangle of a scene in pixels, from its upper left corner."""

    row: int
    col: int
    height: int
    width: int

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The window of the last two axes of an array, not copied."""
        rows = slice(self.row, self.row + self.height)
        return array[..., rows, self.col : self.col + self.width]

    def moved(self, rows: int, cols: int) -> "Window":
        """A window of the same size so many rows further down and columns further right."""
        return self._replace(row=self.row + rows, col=self.col + cols)


Transform = tuple[float, float, float, float, float, float]
"""Affine coefficients (a, b, c, d, e, f) from pixel to reference system."""
Size = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True)
class Scene:
    """One image of a dataset in its native files, read lazily by window.

    Attributes:
        id: Unique within the dataset; stable from machine to machine.
        split: The official split, or the one that the dataset's split rule gives.
        height: Height in pixels of the dataset's finest grid.
        width: Width in pixels.
        files: The files the scene is read from (image and target).
        image: ``image(window)`` is (T, C, h, w) in the native dtype, bands in the spec's order,
            T = 1 for single dates.
        target: ``target(window)`` is, by kind: segmentation and change (h, w) whole numbers, NaN
            where a dataset with an ``ignore_index`` has no label in a file of real numbers;
            regression (h, w) float32; classification a scalar integer; multilabel (K,) uint8;
            detection (n, 5) float32 rows of x_min, y_min, x_max, y_max, class in the window's
            pixels.
        crs: For example ``EPSG:32633``; None for images without georeference.
        transform: From pixel to CRS; None likewise.
        dates: ISO dates, one per T; empty where the dataset gives none.
        bands: The bands that ``image`` gives, in the spec's order, where the files lack some (an
            edition in three colours, a copy without radar); None for all. All scenes of a copy have
            the same ones. Missing bands are not stored, and requesting one is an error.
        product: What the scene was cut from, where several were cut from one (patches of an
            acquisition), so that the report draws them together; empty where the scene is one.
    """

    id: str
    split: Split
    height: int
    width: int
    files: tuple[Path, ...]
    image: Callable[[Window], np.ndarray]
    target: Callable[[Window], np.ndarray]
    crs: str | None = None
    transform: Transform | None = None
    dates: tuple[str, ...] = ()
    bands: tuple[str, ...] | None = None
    product: str = ""


@dataclass(frozen=True)
class Archive:
    """One file to fetch.

    Attributes:
        url: Where it is.
        filename: Name on disk, below the dataset's root.
        checksum: ``"md5:<hex>"`` or ``"sha256:<hex>"`` where published; None where it is not.
        size: Bytes, where published.
        extract: Folder below the root to unpack into; None leaves the file as it is.
    """

    url: str
    filename: str
    checksum: str | None = None
    size: int | None = None
    extract: str | None = "."


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from.

    Attributes:
        homepage: The page a person reads.
        licence: As its publisher states it.
        commercial: Whether that allows commercial use; None where the publisher does not say. NC
            and research-only terms say no; MIT, CDLA, Etalab, CC BY and CC BY-SA say yes, under
            their own conditions.
        citation: Authors, title, year, DOI or arXiv number in one line.
        size_gb: Download size, so that a user knows before starting.
        archives: What to fetch. A function where torchgeo knows it: it imports torchgeo, which
            takes seconds and a gigabyte, so it is called by the stage that fetches alone.
        download: ``download(root)`` fetches all, where only torchgeo's own code can.
        manual: What to tell a person who must click, register or request; None otherwise.
    """

    homepage: str
    licence: str
    citation: str
    size_gb: float
    archives: tuple[Archive, ...] | Callable[[], tuple[Archive, ...]] = ()
    download: Callable[[Path], None] | None = None
    manual: str | None = None
    commercial: bool | None = None

    def files(self) -> tuple[Archive, ...]:
        """What to fetch, archive by archive; empty where there is no list of it."""
        return self.archives() if callable(self.archives) else self.archives


@dataclass(frozen=True)
class Dataset:
    """A published collection in its own native file layout.

    Attributes:
        name: Key in params, file name below ``eosfm/datasets``, folder below ``data``.
        title: Name that its authors use.
        kind: Task kind of its labels, a name of the table of kinds.
        bands: Band names in file order, after any fixed re-arrangement the reader makes.
        units: Unit of each band's stored values (see :data:`eosfm.core.bands.UNITS`).
        dtype: Numpy dtype of the images, which holds that of every band.
        classes: Class names by index; one entry, the quantity, for regression.
        gsd: Ground sampling distance in metres.
        source: Where it comes from.
        reader: ``reader(root)`` yields every labelled scene below ``root``. It raises EosfmError
            where a file is missing, damaged, misnamed or of another kind.
        split_rule: In words: whose split this is, or by what unit scenes are held out.
        ignore_index: Target value that is never scored; None where every pixel is labelled.
        nodata: Image value that means "not measured" when all bands have it; None otherwise.
        target_unit: Unit of a regression target.
        target_steps: Steps per ``target_unit`` where native regression targets are whole numbers of
            steps, 0 to 65,534 (10: decimetres of a metre); None where they hold any number.
        groups: Bands by their dtype and pixel size in the native files, where these differ; tiles
            are stored in the same groups. Empty: all in ``dtype``. Where all bands of a group have
            its ``nodata``, scenes give NaN.
        published: Published scene counts by our splits, joined by blanks where a published part is
            divided among several: ``{"train val": 540, "test": 264}``. Empty where not known for
            certain.
        edition: ``edition(root)`` is the dataset as the files below ``root`` have it, where it was
            published more than once with other bands or values; ``reader`` reads them all.
    """

    name: str
    title: str
    kind: str
    bands: tuple[str, ...]
    units: tuple[str, ...]
    dtype: str
    classes: tuple[str, ...]
    gsd: float
    source: Source
    reader: Callable[[Path], Iterable[Scene]] = field(repr=False)
    split_rule: str = "official"
    ignore_index: int | None = None
    nodata: float | None = None
    target_unit: str | None = None
    target_steps: int | None = None
    groups: tuple[BandGroup, ...] = ()
    published: Mapping[str, int] = field(default_factory=dict, hash=False)
    edition: Callable[[Path], "Dataset"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_bands(self.bands)
        for dtype in (self.dtype, *(group.dtype for group in self.groups)):
            if dtype not in DTYPES:
                raise EosfmError(f"{self.name}: unknown dtype {dtype!r}; {suggest(dtype, DTYPES)}")
        if not self.classes:
            raise EosfmError(
                f"{self.name}: it has no classes; expected their names, or that of the quantity"
            )
        if isinstance(self.classes, str) or len(set(self.classes)) < len(self.classes):
            raise EosfmError(
                f"{self.name}: classes are {self.classes!r}; expected a tuple of names, each once"
            )
        if len(self.units) != len(self.bands):
            raise EosfmError(
                f"{self.name}: {len(self.units)} units for {len(self.bands)} bands; give one each"
            )
        for unit in self.units:
            if unit not in UNITS:
                raise EosfmError(f"{self.name}: unknown unit {unit!r}; {suggest(unit, [*UNITS])}")
        if not isinstance(self.gsd, Real) or not 0 < self.gsd < float("inf"):
            raise EosfmError(f"{self.name}: gsd is {self.gsd!r}; expected metres, above 0")
        if self.nodata is not None and not holds(self.dtype, self.nodata):
            raise EosfmError(
                f"{self.name}: nodata is {self.nodata!r}, which {self.dtype} cannot hold; give a "
                "value of the images, or None"
            )
        if self.ignore_index is not None and not holds("int32", self.ignore_index):
            raise EosfmError(
                f"{self.name}: ignore_index is {self.ignore_index!r}; expected a whole number of "
                "32 bits"
            )
        if self.groups:
            check_groups(self.groups, self.bands, self.dtype, self.nodata, self.name)

    def scenes(self, root: Path) -> Iterator[Scene]:
        """Yield every labelled scene below a root.

        Raises:
            EosfmError: What the reader raises, or that a file is missing, and what to do then.
        """
        try:
            for scene in self.reader(root) or ():
                yield self._checked(scene, root)
        except Incomplete as error:
            raise EosfmError(
                f"{self.name}: {error}; point datasets.{self.name}.root at a complete copy, or "
                "delete what was downloaded, nothing of your own, and run "
                f"`dvc repro -f data/dvc.yaml:download@{self.name}`"
            ) from None

    def _checked(self, scene: Scene, root: Path) -> Scene:
        if scene.split not in SPLITS:
            raise EosfmError(
                f"{self.name}: scene {scene.id} has the split {scene.split!r}; expected "
                f"{', '.join(SPLITS)}; let the reader give one of these"
            )
        files = tuple(map(Path, scene.files))
        if not files:
            raise EosfmError(
                f"{self.name}: scene {scene.id} names no files; let the reader say what it was "
                "read from"
            )
        for file in files:
            if not file.is_relative_to(root):
                raise EosfmError(
                    f"{self.name}: scene {scene.id} is of {file}, which is not below {root}; let "
                    "the reader give paths below the root that it gets, as they are there"
                )
        scene = replace(scene, image=settled(scene.image), target=settled(scene.target))
        if self.ignore_index is not None:
            scene = replace(scene, target=partial(numbered, scene.target, self.ignore_index))
        place: Any = scene.transform and tuple(scene.transform)[:6]  # rasterio's has nine
        return replace(  # macOS takes the umlauts of an id apart
            scene, id=normalize("NFC", str(scene.id)), files=files, transform=place,
            crs=scene.crs and str(scene.crs), dates=tuple(map(str, scene.dates)),
        )  # fmt: skip

    def below(self, root: Path) -> "Dataset":
        """The dataset as the files below ``root`` have it: itself or an edition, under its name.

        Raises:
            EosfmError: The files are of no edition.
        """
        return replace(self.edition(root), name=self.name) if self.edition else self

    def only(self, bands: tuple[str, ...]) -> "Dataset":
        """The same dataset of which some bands are there, in its order."""
        units = dict(zip(self.bands, self.units, strict=True))
        kept = (
            replace(group, bands=tuple(name for name in group.bands if name in bands))
            for group in self.groups
        )
        return replace(
            self,
            bands=bands,
            units=tuple(units[name] for name in bands),
            groups=tuple(group for group in kept if group.bands),
        )

    @property
    def band_groups(self) -> tuple[BandGroup, ...]:
        """The bands by what they are stored in; one group where all are alike."""
        nodata = None if self.nodata is None or np.isnan(self.nodata) else self.nodata
        return self.groups or (BandGroup(self.bands, self.dtype, nodata),)
