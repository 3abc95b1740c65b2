"""A task's best fit as a file, written by stage evaluate and read for prediction.

``models/tasks/<task>.pt`` holds only tensors and plain values. Frozen encoders stay in the ensemble
artifact, which the file names by its SHA-256; fine-tuned encoders are in the file itself.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.encoding.input import SPECTRAL
from eosfm.evaluation.fit import Answers
from eosfm.evaluation.late_fusion import LateFusion
from eosfm.evaluation.probe import EndToEnd, Probe
from eosfm.evaluation.result import Fit, Scores
from eosfm.features.task import Task
from eosfm.model import EosFM
from eosfm.tiles.manifest import Origin

FORMAT = 5

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class FittedTask:
    """A task and the fit of it that did best on validation data.

    Attributes:
        task: Its name.
        dataset: That of its labels.
        source: Where its files came from: ``simulated``, ``archive``, or ``root`` for a user's.
        kind: Task kind.
        classes: Class names by index; of a regression, the name of the quantity.
        ignore_index: Target value that is never scored.
        target_unit: Unit of a regression's values.
        bands: The input's channels, by band name.
        units: Physical unit of each.
        mean: What is subtracted from each band, in its unit.
        std: What it is then divided by.
        fill: Value of a band for unmeasured pixels: its mean over the training tiles.
        nodata: Value that means "not measured" when all bands have it; None where there is none.
        adaptation: How the input reaches specialists of other bands.
        standardize: Whose statistics scale the input, ``dataset`` or ``specialist``.
        gsd: Ground sampling distance of the tiles, metres.
        tile: Height and width of the tiles, pixels.
        window: Height and width of the encoders' input window, pixels.
        dates: How many dates were used.
        aggregation: How the features of the dates are merged; None for a single date.
        head: Name of the head.
        width: Channels of its decoder.
        metric: The task's headline.
        val: Validation scores of the best epoch.
        test: Test scores of that epoch.
        specialists: Those in use.
        artifact: SHA-256 of the ensemble artifact, hexadecimal.
        fuser: See :meth:`eosfm.fusion.fuser.Fuser.settings`.
        pixel_share: Weight of the pixel model in late fusion, 0 to 1.
        weights: State dicts of ``fuser``, ``merge`` and ``head``, of a fine-tuned ``encoder``, and
            of the ``pixels`` model if its weight is above 0; empty for ``knn``, which has no model.
        ensemble: Entries of the specialists in use, see :mod:`eosfm.encoding.artifact`; empty where
            they are in the artifact alone.
    """

    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True, "extra": "forbid"}

    task: str
    dataset: str
    source: Origin
    kind: str
    classes: tuple[str, ...]
    ignore_index: int
    target_unit: str | None
    bands: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fill: tuple[float, ...]
    nodata: float | None
    adaptation: str
    standardize: str
    gsd: float
    tile: tuple[int, int]
    window: tuple[int, int]
    dates: int
    aggregation: str | None
    head: str
    width: int
    metric: str
    val: Scores
    test: Scores
    specialists: tuple[str, ...]
    artifact: str
    fuser: Mapping[str, Any]
    pixel_share: float
    weights: Mapping[str, Weights]
    ensemble: tuple[Any, ...] = ()


class BestFit:
    """Receiver of the best fit of :func:`eosfm.evaluation.evaluate.evaluate_task`."""

    def __init__(self) -> None:
        self.model: nn.Module | None = None
        self.fit: Fit | None = None
        self.answers: Answers = {}

    def keep(self, model: nn.Module, fit: Fit, answers: Answers) -> None:
        """Remember a model at its best epoch, and what it predicts for the tiles to be drawn."""
        self.model, self.fit, self.answers = model, fit, answers

    def write(self, path: Path, task: Task, artifact: Path) -> None:
        """Write it; the same fit gives the same bytes.

        Args:
            path: The file, written whole or not at all.
            task: What was fitted.
            artifact: The ensemble that it was fitted on.
        """
        fuser, weights = _parts(self.model)
        mean, std = task.statistics
        names = dict.fromkeys(spec["name"] for spec in fuser.get("inputs", ()))
        fitted = FittedTask(
            task=task.name,
            dataset=task.store.name,
            source=task.store.source,
            kind=task.kind.name,
            classes=task.classes,
            ignore_index=task.ignore_index,
            target_unit=task.store.target_unit,
            bands=task.bands,
            units=task.units,
            mean=mean,
            std=std,
            fill=task.fill,
            nodata=task.store.nodata,
            adaptation=task.adaptation,
            standardize=task.standardize,
            gsd=task.store.gsd,
            tile=task.windows.tile,
            window=task.windows.size,
            dates=len(task.dates),
            aggregation=task.aggregation,
            head=task.head,
            width=task.protocol.decoder_channels,
            metric=task.metric,
            val=self.fit.val if self.fit else {},
            test=self.fit.test if self.fit else {},
            specialists=tuple(name for name in names if name != SPECTRAL),
            artifact=file_hash(artifact),
            fuser=fuser,
            pixel_share=self.fit.pixel_share if self.fit else 0.0,
            weights=weights,
        )
        write_fitted(path, fitted)


def write_fitted(path: Path, fitted: FittedTask) -> None:
    """Write a fit; an empty ``ensemble`` is left out of the file."""
    content = {key: value for key, value in vars(fitted).items() if key != "ensemble" or value}
    tensors.write(path, {"format": FORMAT, **content})


def read_fitted(path: Path) -> FittedTask:
    """Read a task's best fit.

    Raises:
        EosfmError: The file is missing, damaged, of another format, or holds nothing fitted.
    """
    if not path.is_file():
        known = sorted(file.stem for file in path.parent.glob("*.pt"))
        there = f"{path.parent} has {', '.join(known)}" if known else f"{path.parent} has none"
        raise EosfmError(
            f"{path} not found; {there}; `dvc repro evaluate@{path.stem}` makes that of a task"
        )
    content = tensors.read(path)
    found = content.pop("format", None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise EosfmError(
            f"{path} is of format {found}; expected {FORMAT}; run `dvc repro -f "
            f"evaluate@{path.stem}`"
        )
    try:
        fitted = TypeAdapter(FittedTask).validate_python(content)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "its start"
        raise EosfmError(
            f"{path} is no fitted task ({fault['msg']} at {where}); run `dvc repro -f "
            f"evaluate@{path.stem}`"
        ) from None
    if not fitted.weights:
        raise EosfmError(
            f"task {fitted.task} has head {fitted.head}, which is not trained; set "
            f"tasks.{fitted.task}.head to another and run `dvc repro evaluate@{fitted.task}`"
        )
    return fitted


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parts(model: nn.Module | None) -> tuple[dict[str, Any], dict[str, Weights]]:
    """A fitted model's fusion settings, and the weights of its parts."""
    if model is None:
        return {}, {}
    parts: dict[str, Any] = {}
    if isinstance(model, LateFusion):
        if model.share:
            parts["pixels"] = model.voter
        model = model.model
    parts |= {"merge": model.merge, "head": model.head}
    if isinstance(model, EndToEnd):
        backbone = cast(EosFM, model.backbone)
        parts |= {"fuser": backbone.fuser, "encoder": backbone.encoder.models}
    else:
        parts["fuser"] = cast(Probe, model).fusing.fuser
    weights = {name: dict(part.state_dict()) for name, part in sorted(parts.items())}
    return parts["fuser"].settings(), weights
