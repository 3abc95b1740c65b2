"""One model in training: its loss, optimiser and schedule, and its best epoch."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from eosfm.evaluation.result import Scores
from eosfm.evaluation.trial import Trial
from eosfm.features import processes
from eosfm.features.device import autocast, device
from eosfm.fusion.fuser import Fuser
from eosfm.heads.optim import build_optimizer, build_schedule
from eosfm.kinds.scores import better

GRADIENT_NORM = 1.0
"""Norm to which longer gradients are clipped."""


class Learner:
    """A model that steps on a task's loss, and remembers its best validation epoch.

    Args:
        model: Called as ``model(inputs, size)``; what requires no gradient is not trained.
        trial: Task, protocol and seed.
        length: Steps in all, over which the learning rate has one cycle; None keeps it constant.
    """

    def __init__(self, model: nn.Module, trial: Trial, length: int | None) -> None:
        rate = trial.task.protocol.lr
        self.model, self.trial = model.to(device()).train(), trial
        selects = any(isinstance(m, Fuser) and m.selection is not None for m in model.modules())
        self.shared = processes.data_parallel(self.model, drops=selects)
        self.loss = trial.build_loss().to(device())
        self.optimizer = build_optimizer(model, rate, name=trial.task.protocol.optimizer)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.schedule = None if length is None else build_schedule(self.optimizer, rate, length)
        self.best = Best(trial.task.metric)

    def step(self, inputs: Any, target: Tensor, size: tuple[int, int]) -> Tensor:
        """Take one optimiser step; return the loss before it."""
        if not self.model.training:  # as after a validation; else this walks through all modules
            self.model.train()
        logits = answer(self.shared, inputs, size)
        loss = self.loss(processes.whole_batch(logits), processes.whole_batch(target))
        self.optimizer.zero_grad(set_to_none=True)
        (loss * (processes.count() / self.trial.statistics.unit**2)).backward()
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        return loss.detach()

    @property
    def finite(self) -> bool:
        """Whether all trained weights are finite."""
        return all(bool(weight.isfinite().all()) for weight in self.parameters)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        assert self.schedule is not None
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best": vars(self.best),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        assert self.schedule is not None
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        vars(self.best).update(state["best"])


class Best:
    """The best validation epoch so far.

    Attributes:
        metric: What decides.
        scores: Every metric of that epoch.
        epoch: Its number, counted from 1.
        state: The weights after it.
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.scores: Scores = {}
        self.epoch = 0
        self.state: dict[str, Tensor] = {}

    def offer(self, scores: Scores, epoch: int, model: nn.Module) -> None:
        """Keep this epoch if it beats the best; the earlier one of equals stays."""
        metric = self.metric
        if not self.scores or better(metric, scores[metric], self.scores[metric]):
            self.scores, self.epoch = scores, epoch
            self.state = {key: value.clone() for key, value in model.state_dict().items()}


def answer(model: nn.Module, inputs: Any, size: tuple[int, int]) -> Tensor:
    """A model's logits as float32, also under autocast."""
    with autocast():
        return model(inputs, size).float()
