"""What a specialist's training step costs on one core, and what would make it quicker.

python benchmarks/steps.py potsdam ben_rgb

Forward, backward and optimiser in turns, by processor time: with the kernel gradients of depthwise
convolutions as torch has them, as they are (`eosfm/nn/depthwise.py`), with the encoder on eight
tiles at a time, whose maps stay in a core's cache, and in bf16 by autocast.
From the tiles of a `dvc repro`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from eosfm.heads.optim import build_optimizer
from eosfm.nn.depthwise import LeanDepthwise
from eosfm.params import load_params
from eosfm.tiles.store import TileStore
from eosfm.training.module import SpecialistModule
from eosfm.training.recipe import Recipe
from eosfm.training.train import build_data, build_module

PARTS = ("forward", "backward", "optimiser")


@contextmanager
def plain(module: nn.Module) -> Iterator[None]:
    """Depthwise convolutions as torch computes them."""
    lean = [part for part in module.modules() if isinstance(part, LeanDepthwise)]
    for part in lean:
        part.__class__ = nn.Conv2d
    yield
    for part in lean:
        part.__class__ = LeanDepthwise


@contextmanager
def sliced(module: SpecialistModule, tiles: int = 8) -> Iterator[None]:
    """The encoder on a few tiles at a time, forward and backward."""
    whole: Any = module.encoder.forward

    def forward(images: torch.Tensor) -> list[torch.Tensor]:
        parts = [whole(some) for some in images.split(tiles)]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    module.encoder.forward = forward  # type: ignore[method-assign]
    yield
    module.encoder.forward = whole


def step(module: SpecialistModule, optimizer: Any, batch: Any, norm: float) -> list[float]:
    """Milliseconds of each of :data:`PARTS`."""
    times = [time.thread_time()]
    loss = module.training_step(batch, 0)
    times.append(time.thread_time())
    loss.backward()
    times.append(time.thread_time())
    nn.utils.clip_grad_norm_(module.parameters(), norm)
    optimizer.step()
    optimizer.zero_grad()
    times.append(time.thread_time())
    return [1000 * (end - start) for start, end in pairwise(times)]


def main(specialists: list[str], rounds: int = 5, tiles: Path = Path("data/tiles")) -> None:
    """Median milliseconds of a step, part by part."""
    torch.set_num_threads(1)
    params = load_params()
    table = Table("specialist", "way", *PARTS, "step")
    for name in specialists:
        recipe = Recipe.resolve(params, name)
        store = TileStore(tiles / params.specialist(name).dataset)
        module = build_module(recipe, store, store.target_statistics())
        batch = next(iter(build_data(recipe, store).train_dataloader()))
        optimizer = build_optimizer(module, recipe.lr)
        ways = {
            "torch's depthwise gradients": lambda module=module: plain(module),
            "as it is": lambda: torch.autocast("cpu", enabled=False),
            "slices of 8": lambda module=module: sliced(module),
            "bf16": lambda: torch.autocast("cpu", torch.bfloat16),
        }
        found: dict[str, list[list[float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, context in ways.items():
                with context():
                    steps = [step(module, optimizer, batch, 1.0) for _ in range(4)]
                found[way] += steps[1:]  # the first warms up
        for way, steps in found.items():
            median = sorted(steps, key=sum)[len(steps) // 2]
            table.add_row(name, way, *(f"{part:.1f}" for part in (*median, sum(median))))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
