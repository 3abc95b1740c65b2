"""What stages tell the report: frozen objects, written as JSON and read back as the same."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from eosfm.core.errors import EosfmError
from eosfm.core.files import write_json

Scores = dict[str, float]
"""Values by metric."""

R = TypeVar("R")


@dataclass(frozen=True)
class TrainResult:
    """How well a specialist does on validation tiles.

    Attributes:
        metric: The headline score of its kind, higher is better.
        score: Its value at the best epoch.
        constant: Its value for the answer that looks at no image.
        epoch: The best epoch, counted from 1.
        scores: Every metric of that epoch.
        per_class: Score by class name, None where the class does not occur.
    """

    metric: str
    score: float
    constant: float
    epoch: int
    scores: Scores
    per_class: dict[str, float | None]


@dataclass(frozen=True)
class ExportResult:
    """What the ensemble artifact holds.

    Attributes:
        specialists: Names, in their order.
        parameters: Numbers in all weights together.
    """

    specialists: tuple[str, ...]
    parameters: int

    @classmethod
    def of(cls, specialists: Iterable[Any]) -> "ExportResult":
        """Count what :class:`eosfm.nn.specialist.Specialist` objects hold."""
        held = list(specialists)
        weights = [tensor for one in held for tensor in one.state_dict.values()]
        return cls(tuple(one.name for one in held), sum(tensor.numel() for tensor in weights))


@dataclass(frozen=True)
class Fit:
    """One fit of a task.

    Attributes:
        val: Validation metrics of the best epoch.
        test: Test metrics of the same.
        best_epoch: Counted from 1; 0 where nothing is trained in epochs.
    """

    val: Scores
    test: Scores
    best_epoch: int


@dataclass(frozen=True)
class TaskResult:
    """How well one model does on a downstream task, over one or more fits.

    Attributes:
        metric: The task's headline.
        score: The test result as a score from 0 to 1, higher is better, that tasks can be averaged
            by.
        score_metric: The metric that it is: the headline, but for errors in physical units R2.
        val: Mean of each validation metric over the fits.
        test: Mean of each test metric.
        spread: Standard deviation of each test metric between fits, 0 for a single one.
        per_class: Mean test score by class name, None where the class does not occur.
        fits: One by one.
        selected: The specialists in use.
        labels: Labelled training tiles.
    """

    metric: str
    score: float
    score_metric: str
    val: Scores
    test: Scores
    spread: Scores
    per_class: dict[str, float | None]
    fits: tuple[Fit, ...]
    selected: tuple[str, ...]
    labels: int


@dataclass(frozen=True)
class BaselineResults:
    """What the ensemble must beat on a task.

    Attributes:
        random: The same ensemble with random weights.
        single: The best specialist alone.
        scratch: One backbone, trained on the task's labels alone.
        statistics: A linear model of the pixels, or of the bands' mean and spread.
    """

    random: TaskResult
    single: TaskResult
    scratch: TaskResult
    statistics: TaskResult


@dataclass(frozen=True)
class AnalysisResult:
    """One task's score, taken apart.

    Attributes:
        counts: By number of specialists (``all`` of them last), those selected.
        whole: All specialists, in a shorter fit of a linear head, as the next two.
        alone: By specialist, that one only.
        without: By specialist, all but that one.
        labels: By share of the labelled tiles, the ensemble.
        scratch: By share of the labelled tiles, one backbone trained on these alone.
    """

    counts: dict[str, TaskResult]
    whole: TaskResult
    alone: dict[str, TaskResult]
    without: dict[str, TaskResult]
    labels: dict[str, TaskResult]
    scratch: dict[str, TaskResult]


@dataclass(frozen=True)
class EnergyRecord:
    """What one run of a stage took (see :func:`eosfm.tracking.track`); None where unknown."""

    stage: str
    item: str
    seconds: float
    kwh: float | None
    co2eq_kg: float | None
    peak_memory_gib: float
    run: str


def write_result(path: Path, result: object) -> None:
    """Write one of these as JSON."""
    write_json(path, asdict(result))  # type: ignore[call-overload]


def read_result(path: Path, form: type[R], target: str) -> R:
    """Read what :func:`write_result` wrote.

    Args:
        path: The file.
        form: Its class.
        target: What DVC builds to make it.

    Raises:
        EosfmError: The file is missing, or holds something else.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(form).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run `dvc repro {target}`") from None
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"]) or "its start"
        raise EosfmError(
            f"{path} is no {form.__name__} ({fault['msg']} at {where}); run `dvc repro -f {target}`"
        ) from None
