"""What a training tells the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainResult:
    """How well a specialist does on validation tiles.

    Attributes:
        metric: The headline score of its kind, higher is better.
        score: Its value at the best epoch.
        constant: Its value for the best prediction, by the training labels, that ignores the image.
        epoch: The best epoch, counted from 1.
        scores: Every metric of that epoch.
        per_class: Score by class name, None where the class does not occur.
    """

    metric: str
    score: float
    constant: float
    epoch: int
    scores: dict[str, float]
    per_class: dict[str, float | None]
