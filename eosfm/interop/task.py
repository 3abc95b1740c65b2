"""A fitted task as one module: a window in physical values in, probabilities or values out."""

import torch
from torch import Tensor, nn

from eosfm.evaluation.fitted import FittedTask
from eosfm.kinds import get_kind
from eosfm.prediction.model import TaskModel


class PhysicalTask(nn.Module):
    """Standardisation, encoders in use, fusion, date merging, head, final probabilities or values.

    Args:
        fitted: The fit.
        model: See :class:`eosfm.prediction.model.TaskModel`.
    """

    mean: Tensor
    std: Tensor
    fill: Tensor

    def __init__(self, fitted: FittedTask, model: TaskModel) -> None:
        super().__init__()
        self.model = model
        self.fitted = fitted
        for name in ("mean", "std", "fill"):
            values = torch.tensor(getattr(fitted, name)).view(1, 1, -1, 1, 1)
            self.register_buffer(name, values, persistent=False)

    def forward(self, image: Tensor, days: Tensor | None = None) -> Tensor:
        """(B, T, C, h, w) in the bands' units, NaN where not measured; (B, T) days where used.

        Returns:
            Probabilities of the classes or labels, (B, K, h, w), or (B, K) for an answer per image;
            of a regression the value.
        """
        known = torch.where(image.isfinite(), image, self.fill)
        if self.fitted.standardize == "dataset":
            known = (known - self.mean) / self.std
        if days is None:
            days = image.new_zeros(image.shape[:2])
        logits: Tensor = self.model(known, days)
        return get_kind(self.fitted.kind).probabilities(logits)
