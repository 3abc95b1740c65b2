"""The Muon optimiser, for short trainings: steps of kernels that mix channels are orthogonal."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)
"""(a, b, c) of the Newton-Schulz iteration: a singular value s becomes as + bs^3 + cs^5."""
ITERATIONS = 3
"""Three train as well as the usual five, in half of the time (``benchmarks/choices.md``)."""
BLOCK = 40
"""Most rows (or columns, if fewer) that are orthogonalised together; the work grows with their
square, and blocks of 40 train as well as whole matrices of 320 (``benchmarks/choices.md``)."""
STEP = 0.4
"""Root mean square of a weight's step at a rate of 1; that of Adam's steps is 0.2 to 0.4."""


class Muon(AdamW):
    """Momentum made orthogonal for matrices and kernels over several channels, AdamW for the rest.

    An orthogonal step moves all directions alike, also those in which the gradient is small, so a
    specialist learns about as much as in twice as many steps of AdamW. The rate and
    the weight decay mean what they mean in AdamW, whose arguments it takes.

    Source: K. Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024); sizes
    of steps as in J. Liu et al., Muon is scalable for LLM training (arXiv:2502.16982). Own code,
    since torch's and timm's always compute in bfloat16, which is 40 times as slow as float32 on a
    processor without instructions for it.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Args:
            closure: Computes the loss and its gradients.

        Returns:
            The closure's result.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        held: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            mixing = [p for p in group["params"] if p.grad is not None and mixes_channels(p)]
            self._step_orthogonally(mixing, group["lr"], group["weight_decay"])
            held += [(parameter, parameter.grad) for parameter in mixing]
        for parameter, _ in held:
            parameter.grad = None  # AdamW skips parameters without a gradient
        super().step()
        for parameter, gradient in held:
            parameter.grad = gradient
        return loss

    @torch.no_grad()
    def _step_orthogonally(self, parameters: list[Tensor], lr: float, decay: float) -> None:
        alike: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
        for parameter in parameters:
            alike[len(parameter), parameter[0].numel()].append(parameter)
        for shape, members in alike.items():
            steps = orthogonalize(torch.stack([self._momentum(p).reshape(shape) for p in members]))
            for parameter, step in zip(members, steps, strict=True):
                parameter.mul_(1 - lr * decay)
                size = lr * STEP * max(shape) ** 0.5
                parameter.sub_(step.view(parameter.shape), alpha=size)

    def _momentum(self, parameter: Tensor) -> Tensor:
        """Update a parameter's momentum and return its Nesterov look-ahead."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            # A count, since Adam looks for one in each state that it loads.
            state.update(momentum=torch.zeros_like(parameter), step=torch.zeros(()))
        momentum: Tensor = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(momentum, MOMENTUM)


def mixes_channels(parameter: Tensor) -> bool:
    """Whether it is a matrix, or a kernel (out, in, ...) of several channels both out and in."""
    return parameter.ndim > 1 and 1 not in parameter.shape[:2]


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (N, a, b) with the same singular vectors, and singular values of about 1.

    The smaller side is split into blocks where it exceeds :data:`BLOCK`. The largest values end
    between 0.7 and 1.2; those below a twentieth of the largest stay smaller.
    """
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonalize(matrices.mT).mT
    count, rows, columns = matrices.shape
    least = -(-rows // BLOCK)
    parts = next((n for n in range(least, 2 * least) if rows % n == 0), 1)
    if parts > 1:
        return orthogonalize(matrices.reshape(count * parts, -1, columns)).view(matrices.shape)
    norms = torch.linalg.matrix_norm(matrices, keepdim=True)
    matrices = matrices / norms.clamp_min(1e-7)
    # On the small side alone: polynomials of the Gram matrix, multiplied up, then applied once.
    gram = matrices @ matrices.mT
    a, b, c = QUINTIC
    factor = _polynomial(gram, a, b, c)
    whole = factor
    for _ in range(ITERATIONS - 1):
        gram = factor @ factor @ gram
        factor = _polynomial(gram, a, b, c)
        whole = factor @ whole
    return whole @ matrices


def _polynomial(gram: Tensor, a: float, b: float, c: float) -> Tensor:
    """The matrices a + b gram + c gram^2."""
    result = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
    result.diagonal(dim1=1, dim2=2).add_(a)
    return result
