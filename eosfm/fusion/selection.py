"""Learned selection of the few specialists that help.

A specialist is needed if it is missed. While the choice is open, a quarter of the specialists sits
out at each step, a different quarter each time, and the gradient of a closed gate says how far the
loss would fall if it opened. That stays informative when training has converged (the gradient of an
open gate is then zero for good and bad specialists alike), and it detects redundancy: of two near
copies, neither is missed until the other is gone. The gradient of an open gate adds the direction
of training: a specialist whose copy has left should gain weight, and a misleading one lose it.

All specialists that are missed far less than the last one to be kept, with certainty, leave for
good at once. The others may be copies of each other, so they leave one at a time, and the evidence
is gathered afresh after each, until ``keep`` remain. The schedule counts backward passes, so it
needs no callback and no length of training; all of its state is in buffers. If training stops
early, evaluation uses the best guess so far.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Mode = Literal["topk", "smooth"]

GROUPS = 4  # each specialist sits out once in so many steps, which make a round
GROWTH = 2.0  # weight of the gradient while open
FEWEST_ROUNDS = 4  # before anyone may leave
FAR = 0.4  # missed by less than this share of what the last one kept is: far less
SURE = 4.0  # standard errors for that
PATIENCE = 8  # rounds before one may leave that is not missed far less
MOST_ROUNDS = 12  # after which the worst one leaves, certain or not
CERTAINTY = 3.0  # standard errors between that one and the last one kept
SMOOTHING = 0.4  # share of the way that smooth gates go in a round


class Selection(nn.Module):
    """Gates, one per specialist, that learn which ``keep`` of them help.

    Args:
        count: Number of specialists.
        keep: How many remain, 1 to ``count``.
        mode: ``topk`` holds a specialist's gate at one until it leaves; ``smooth`` lowers it
            gradually as the evidence against the specialist grows.
        scale_features: Also learn a factor per specialist, by ordinary gradient descent.
    """

    active: Tensor  # (count,) bool: still in the race
    level: Tensor  # (count,) gates of the specialists that do not sit out
    missed: Tensor  # (count,) this round's observations so far
    mean: Tensor  # (count,) of the rounds since the evidence was cleared
    spread: Tensor  # (count,) sum of squared deviations from the mean
    importance: Tensor  # (count,) the latest mean worth trusting
    rounds: Tensor  # () completed since the evidence was cleared
    steps: Tensor  # () backward passes observed
    seed: Tensor  # () decides who sits out when

    def __init__(
        self, count: int, keep: int, mode: Mode = "topk", scale_features: bool = False
    ) -> None:
        super().__init__()
        self.count, self.keep, self.mode = count, keep, mode
        self.scale = nn.Parameter(torch.ones(count)) if scale_features else None
        self.register_buffer("active", torch.ones(count, dtype=torch.bool))
        self.register_buffer("level", torch.ones(count))
        for name in ("missed", "mean", "spread", "importance"):
            self.register_buffer(name, torch.zeros(count))
        self.register_buffer("rounds", torch.zeros((), dtype=torch.long))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        self.register_buffer("seed", torch.randint(2**31, ()))
        self._turn = 0  # in which the latest pass was

    @property
    def settled(self) -> bool:
        """Whether only ``keep`` specialists remain."""
        return int(self.active.sum()) <= self.keep

    @property
    def selected(self) -> list[int]:
        """Indices of the ``keep`` specialists in use, ascending."""
        return sorted(self._ranking()[: self.keep].tolist())

    def settle(self) -> None:
        """Decide now, by the evidence so far."""
        kept = torch.zeros_like(self.active)
        self.active.copy_(kept.index_fill(0, self._ranking()[: self.keep], True))

    def forward(self) -> Tensor:
        """Gates to multiply onto each specialist's normalised features.

        Returns:
            (count,). In evaluation exactly zero for a specialist that is not selected and one,
            or its learned scale, for the others. In training, while the choice is open, also
            zero for those that sit out this step.
        """
        if not self.training:
            gates = torch.zeros_like(self.level)
            gates = gates.scatter(0, self._ranking()[: self.keep], 1.0)
        elif self.settled:
            gates = self.active.to(self.level.dtype)
        else:
            # A checkpoint's pass comes once more, and the first one may be without gradients.
            if torch._C._current_graph_task_id() == -1:
                self._turn = int(self.steps)
            turn, closed = self._turn, self._sitting_out(self._turn)
            gates = self.level.masked_fill(closed, 0.0)
            if torch.is_grad_enabled():
                gates.requires_grad_()
                gates.register_hook(lambda gradient: self._observe(gradient, closed, turn))
        return gates if self.scale is None else gates * self.scale

    def _ranking(self) -> Tensor:
        standing = self.importance.masked_fill(~self.active, -torch.inf)
        return standing.argsort(descending=True, stable=True)

    def _sitting_out(self, turn: int) -> Tensor:
        round_, group = divmod(turn, GROUPS)
        generator = torch.Generator().manual_seed(int(self.seed) + round_)
        order = torch.randperm(self.count, generator=generator, device="cpu")
        return (order % GROUPS == group).to(self.active.device)

    @torch.no_grad()
    def _observe(self, gradient: Tensor, closed: Tensor, turn: int) -> None:
        if turn != int(self.steps):
            return  # of several passes in a step, for two dates say, only one counts
        if not gradient.isfinite().all():
            return  # a step that loss scaling will skip, too
        self.steps += 1
        # The unit norm makes steps comparable while the loss falls or its scale changes.
        missed = -gradient / gradient.norm().clamp_min(torch.finfo(gradient.dtype).tiny)
        self.missed += missed * torch.where(closed, 1.0, GROWTH / (GROUPS - 1))
        if int(self.steps) % GROUPS == 0:
            self._finish_round()

    def _finish_round(self) -> None:
        self.rounds += 1
        deviation = self.missed - self.mean
        self.mean += deviation / self.rounds
        self.spread += deviation * (self.missed - self.mean)
        self.missed.zero_()
        rounds = int(self.rounds)
        if rounds >= FEWEST_ROUNDS or bool(self.active.all()):
            self.importance.copy_(self.mean)
        if rounds < FEWEST_ROUNDS:
            return

        last_kept = self._ranking()[self.keep - 1]
        variance = self.spread / (rounds * (rounds - 1))
        lead = self._lead(variance, last_kept, 1.0)
        # If the last one kept does harm, this share of its mean is higher, hence both.
        far = torch.maximum(lead, self._lead(variance, last_kept, FAR)) < -SURE
        self._dismiss(lead, far)
        if self.mode == "smooth":
            target = self.active * 2 * torch.sigmoid(lead.clamp_max(0.0))
            self.level.lerp_(target, SMOOTHING)
        else:
            self.level.copy_(self.active)

    def _lead(self, variance: Tensor, last_kept: Tensor, share: float) -> Tensor:
        """How far each is above this share of the last one kept, in standard errors."""
        error = (variance + share**2 * variance[last_kept]).sqrt()
        difference = self.mean - share * self.mean[last_kept]
        return difference / error.clamp_min(torch.finfo(error.dtype).tiny)

    def _dismiss(self, lead: Tensor, far: Tensor) -> None:
        surplus = self._ranking()[self.keep : int(self.active.sum())]
        if bool(far[surplus].any()):
            self.active[surplus[far[surplus]]] = False
            return  # so little was missed in them that the evidence on the others still holds
        rounds = int(self.rounds)
        certain = rounds >= PATIENCE and bool(lead[surplus[-1]] < -CERTAINTY)
        if certain or rounds >= MOST_ROUNDS:
            self.active[surplus[-1]] = False
            for statistic in (self.rounds, self.mean, self.spread):
                statistic.zero_()
