"""What the benchmarks share: the mix of specialists, the rival, stopwatch and table."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from eosfm.encoding.randomize import randomize
from eosfm.model import EosFM
from eosfm.nn.specialist import Specialist

BACKBONE = "convnextv2_atto"
MIX = [3] * 15 + [13] * 3 + [12] * 2 + [2] * 2 + [14] + [6]  # channels of the 24 specialists
CHANNEL_MAPS = {3: ([3, 2, 1], [7, 3, 2]), 13: (list(range(13)),)}  # published rules, 13-band input
Json = Annotated[Path | None, typer.Option("--json", help="write the figures here")]


def ensemble() -> list[Specialist]:
    """The mix of 24 specialists with random weights."""
    return randomize([Specialist(f"s{i:02d}", BACKBONE, c, {}) for i, c in enumerate(MIX)], seed=0)


class Published(nn.Module):
    """Every specialist for every rule, a mask, and concatenation."""

    def __init__(self, members: list[Specialist]) -> None:
        super().__init__()
        self.models = nn.ModuleList()
        for member in members:
            model = timm.create_model(BACKBONE, features_only=True, in_chans=member.in_chans)
            model.load_state_dict(member.state_dict)
            self.models.append(model.eval())
        self.rules = [
            (i, c) for i, m in enumerate(members) for c in CHANNEL_MAPS.get(m.in_chans, ())
        ]
        self.register_buffer("mask", torch.ones(len(self.rules)))

    @torch.no_grad()
    def encode(self, x: Tensor) -> list[list[Tensor]]:
        """One call per rule."""
        return [self.models[i](x[:, channels]) for i, channels in self.rules]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Four concatenated levels."""
        pyramids = self.encode(x)
        levels = zip(*pyramids, strict=True)
        return [
            torch.cat([m * g for m, g in zip(level, self.mask, strict=True)], 1) for level in levels
        ]


def five_of(members: list[Specialist]) -> EosFM:
    """Five specialists of the mix, as selection and pruning leave them.

    Four of three bands and one of thirteen, as in the mix: nine of the 33 encoder calls.
    """
    five = EosFM.from_specialists(
        members, in_chans=13, fusion="concat", normalize="none", max_encoders=5
    ).eval()
    five.fuser.selection.active.zero_()
    five.fuser.selection.active[[0, 1, 2, 3, 15]] = True
    return five.prune()


def alternate(actions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each action, taken in turns after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(rounds + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, rows: list[dict[str, Any]], target: Path | None) -> None:
    """Print the rows as a table and, if asked, write them."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)
    if target:
        target.write_text(json.dumps(rows, indent=1))
