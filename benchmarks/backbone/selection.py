"""Does selection find the specialists that carry the signal?"""

import statistics
from collections.abc import Callable

import torch
from common import Json, show
from torch import Tensor, nn
from torch.nn import functional as F

from eosfm.fusion.selection import Selection


class Study:
    """24 specialists of which 4 carry the labels' signal; optionally each has a near copy."""

    count, keep, width, classes = 24, 4, 40, 5

    def __init__(self, seed: int, signal: float, copies: bool) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(self.count, generator=self.generator).tolist()
        self.informative, twins = order[: self.keep], order[self.keep : 2 * self.keep]
        self.source = list(range(self.count))
        if copies:
            for original, twin in zip(self.informative, twins, strict=True):
                self.source[twin] = original
        maps = self.draw(self.count, 3, self.width)[self.source] / 3**0.5
        weights = self.draw(3 * self.keep, self.classes)

        def make(number: int) -> tuple[Tensor, Tensor]:
            hidden = self.draw(number, self.count, 3)[:, self.source]
            labels = (hidden[:, self.informative].flatten(1) @ weights).argmax(1)
            noise = self.draw(number, self.count, self.width)
            features = signal * torch.einsum("bnl,nlw->bnw", hidden, maps) + noise
            return F.layer_norm(features, (self.width,)), labels

        self.train, self.test = make(2048), make(2048)

    def draw(self, *shape: int) -> Tensor:
        """Standard normal numbers of this study."""
        return torch.randn(*shape, generator=self.generator)

    def run(self, gates: Callable[[], Tensor], module: nn.Module, lr: float, steps: int) -> float:
        """Train a fusion and a head with plain AdamW; the accuracy on the test set."""
        fuse = nn.Linear(self.count * self.width, self.width)
        net = nn.ModuleList([module, fuse, nn.Linear(self.width, self.classes)]).train()

        def forward(features: Tensor) -> Tensor:
            gated = (features * gates()[:, None]).flatten(1)
            return net[2](F.leaky_relu(net[1](gated)))

        optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
        for _ in range(steps):
            chosen = torch.randint(2048, (32,), generator=self.generator)
            optimizer.zero_grad()
            F.cross_entropy(forward(self.train[0][chosen]), self.train[1][chosen]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            return (forward(self.test[0]).argmax(1) == self.test[1]).float().mean().item()


def selection(seeds: int = 10, steps: int = 300, lr: float = 1e-3, json_: Json = None) -> None:
    """Share of the informative specialists found, and accuracy beside the best four."""
    rows = []
    for level, signal, copies in (
        ("easy", 1.5, False),
        ("hard", 0.4, False),
        ("easy, copies", 1.5, True),
        ("hard, copies", 0.4, True),
    ):
        best = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            study = Study(seed, signal, copies)
            oracle = torch.zeros(study.count)
            oracle[study.informative] = 1
            best.append(study.run(lambda gates=oracle: gates, nn.Identity(), lr, steps))
        for mode, scaled in (("topk", False), ("topk", True), ("smooth", False), ("smooth", True)):
            recalls, accuracies = [], []
            for seed in range(seeds):
                torch.manual_seed(seed)
                study = Study(seed, signal, copies)
                gates = Selection(study.count, study.keep, mode, scaled)
                accuracies.append(study.run(gates, gates, lr, steps))
                found = {study.source[index] for index in gates.selected}
                recalls.append(len(found & set(study.informative)) / study.keep)
            rows.append(
                {
                    "level": level,
                    "mode": mode + (" scaled" if scaled else ""),
                    "recall": statistics.mean(recalls),
                    "accuracy": statistics.mean(accuracies),
                    "best four": statistics.mean(best),
                }
            )
    show(f"Selection, {seeds} seeds, {steps} steps, lr {lr}", rows, json_)
