"""The ensemble backbone against the published rules, reimplemented plainly.

OMP_WAIT_POLICY=passive python benchmarks/ensemble.py encoding    # 24 specialists; 5 of them
OMP_WAIT_POLICY=passive python benchmarks/ensemble.py selection   # recall and accuracy
OMP_WAIT_POLICY=passive python benchmarks/ensemble.py heads       # stored features
OMP_WAIT_POLICY=passive python benchmarks/ensemble.py imports     # start of a process

Each takes --json FILE to write its figures. Rivals run in turns and the medians count.
"""

import json
import statistics
import subprocess
import sys
import tempfile
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
from torch.nn import functional as F

from eosfm.ensemble.backbone import EosFM, randomize
from eosfm.ensemble.selection import Selection
from eosfm.specialist import Specialist

BACKBONE = "convnextv2_atto"
MIX = [3] * 15 + [13] * 3 + [12] * 2 + [2] * 2 + [14] + [6]  # channels of the 24 specialists
PICKS = {3: ([3, 2, 1], [7, 3, 2]), 13: (list(range(13)),)}  # published rules, 13-band input
Json = Annotated[Path | None, typer.Option("--json", help="write the figures here")]
app = typer.Typer(add_completion=False)


def ensemble() -> list[Specialist]:
    """The mix of 24 specialists with random weights."""
    states = {
        c: timm.create_model(BACKBONE, features_only=True, in_chans=c).state_dict()
        for c in set(MIX)
    }
    members = [Specialist(f"s{i:02d}", BACKBONE, c, states[c]) for i, c in enumerate(MIX)]
    return randomize(members, seed=0)


class Published(nn.Module):
    """Every specialist for every rule, a mask, and concatenation."""

    def __init__(self, members: list[Specialist]) -> None:
        super().__init__()
        self.models = nn.ModuleList()
        for member in members:
            model = timm.create_model(BACKBONE, features_only=True, in_chans=member.in_chans)
            model.load_state_dict(member.state_dict)
            self.models.append(model.eval())
        self.rules = [(i, p) for i, m in enumerate(members) for p in PICKS.get(m.in_chans, ())]
        self.register_buffer("mask", torch.ones(len(self.rules)))

    @torch.no_grad()
    def encode(self, x: Tensor) -> list[list[Tensor]]:
        """One call per rule."""
        return [self.models[i](x[:, picks]) for i, picks in self.rules]

    def forward(self, x: Tensor) -> list[Tensor]:
        """Four concatenated levels."""
        pyramids = self.encode(x)
        levels = zip(*pyramids, strict=True)
        return [
            torch.cat([m * g for m, g in zip(level, self.mask, strict=True)], 1) for level in levels
        ]


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


@app.command()
def encoding(rounds: int = 7, batch: int = 8, json_: Json = None) -> None:
    """All 24 specialists, and 5 of them, on 13 bands; published rules on both sides."""
    members = ensemble()
    published = Published(members)
    every = EosFM(members, in_chans=13, fusion="concat", normalize="none").eval()
    five = EosFM(members, in_chans=13, fusion="concat", normalize="none", max_encoders=5).eval()
    # Four of three bands and one of thirteen, as in the mix: nine of the 33 encoder calls.
    five.fuser.selection.active.zero_()
    five.fuser.selection.active[[0, 1, 2, 3, 15]] = True
    small = five.prune()
    rows = []
    for size in (64, 128):
        x = torch.randn(batch if size == 64 else batch // 2, 13, size, size)
        for ours, theirs in zip(every.encode(x), published.encode(x), strict=True):
            assert all((a - b).norm() <= 1e-5 * b.norm() for a, b in zip(ours, theirs, strict=True))
        seconds = alternate(
            {
                "published": lambda x=x: published(x),
                "all": lambda x=x: every(x),
                "five": lambda x=x: small(x),
            },
            rounds,
        )
        rows += [
            {
                "measure": f"{name}, {size} px, times faster",
                "ratio": seconds["published"] / seconds[key],
                "published": seconds["published"],
                "ours": seconds[key],
            }
            for name, key in (("all 24", "all"), ("5 of 24", "five"))
        ]
    with tempfile.TemporaryDirectory() as folder:
        small.save(Path(folder) / "small.pth")
        torch.save(published.state_dict(), Path(folder) / "all.pth")
        sizes = [(Path(folder) / name).stat().st_size / 1e6 for name in ("all.pth", "small.pth")]
    parameters = [sum(p.numel() for p in m.parameters()) / 1e6 for m in (published, small)]
    for name, (theirs, ours) in {"file, MB": sizes, "parameters, M": parameters}.items():
        rows.append({"measure": name, "ratio": theirs / ours, "published": theirs, "ours": ours})
    show("Encoding", rows, json_)


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


@app.command()
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


class Linear(nn.Module):
    """Pooled coarsest features of every pyramid, one linear layer."""

    def __init__(self, pyramids: int) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(10)

    def forward(self, pyramids: list[list[Tensor]]) -> Tensor:
        """(B, 10) scores."""
        return self.layer(torch.cat([p[3].mean((2, 3)) for p in pyramids], 1))


class FusedUPerNet(nn.Module):
    """conv1x1 fusion and segmentation_models_pytorch's UPerNet decoder."""

    def __init__(self, backbone: EosFM) -> None:
        super().__init__()
        from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder

        self.fuser = backbone.fuser
        channels = [13, 13, *backbone.out_channels]
        self.decoder = UPerNetDecoder(channels, encoder_depth=5, decoder_channels=64)
        self.head = nn.LazyConv2d(2, 1)

    def forward(self, pyramids: list[list[Tensor]]) -> Tensor:
        """(B, 2, H/4, W/4) scores."""
        maps = self.fuser(pyramids)
        blank = maps[0].new_zeros(len(maps[0]), 13, 1, 1)
        return self.head(self.decoder([blank, blank, *maps]))


def fit(head: nn.Module, features: Callable[[slice], Any], target: Tensor, epochs: int) -> float:
    """Seconds of training a head for some epochs of batches of 16."""
    start = time.perf_counter()
    optimizer: torch.optim.Optimizer | None = None
    for _ in range(epochs):
        for first in range(0, len(target), 16):
            part = slice(first, first + 16)
            loss = F.cross_entropy(head(features(part)), target[part])
            optimizer = optimizer or torch.optim.AdamW(head.parameters(), lr=1e-3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return time.perf_counter() - start


@app.command()
def heads(tiles: int = 128, epochs: int = 10, json_: Json = None) -> None:
    """Ten epochs of a head on stored features, against encoding plainly at every step.

    The rival's every epoch costs the same, so one is measured and multiplied.
    """
    members = ensemble()
    published = Published(members)
    backbone = EosFM(members, in_chans=13, fusion="conv1x1").train()
    images = torch.randn(tiles, 13, 64, 64)
    targets = {
        "linear": torch.randint(10, (tiles,)),
        "upernet": torch.randint(2, (tiles, 16, 16)),
    }
    make = {"linear": lambda: Linear(33), "upernet": lambda: FusedUPerNet(backbone)}
    start = time.perf_counter()
    parts = [backbone.encode(images[first : first + 16]) for first in range(0, tiles, 16)]
    stored = [
        [torch.cat(levels).half() for levels in zip(*pyramid, strict=True)]
        for pyramid in zip(*parts, strict=True)
    ]
    encoding_pass = time.perf_counter() - start
    rows = []
    for name, target in targets.items():
        head = make[name]().train()
        plain = fit(head, lambda part: published.encode(images[part]), target, 1) * epochs
        ours = fit(
            make[name]().train(),
            lambda part: [[level[part].float() for level in p] for p in stored],
            target,
            epochs,
        )
        rows += [
            {
                "head": name,
                "experiment": which,
                "ratio": plain / seconds,
                "plain, s": plain,
                "ours, s": seconds,
            }
            for which, seconds in (("first", encoding_pass + ours), ("second", ours))
        ]
    show("Head training on stored features", rows, json_)


@app.command()
def imports(rounds: int = 5, json_: Json = None) -> None:
    """Seconds of a fresh Python that imports the backbone, and that builds one."""
    build = (
        "import timm; from eosfm.specialist import Specialist; from eosfm import EosFM;"
        f"m = timm.create_model('{BACKBONE}', features_only=True, in_chans=3);"
        f"EosFM([Specialist('a', '{BACKBONE}', 3, m.state_dict())], in_chans=3)"
    )
    programs = {
        "import eosfm": "import eosfm",
        "import torch, timm": "import torch, timm",
        "from eosfm import EosFM": "from eosfm import EosFM",
        "build a backbone": build,
    }
    runs = {
        name: lambda code=code: subprocess.run([sys.executable, "-c", code], check=True)
        for name, code in programs.items()
    }
    seconds = alternate(runs, rounds)
    show("Imports", [{"what": name, "seconds": value} for name, value in seconds.items()], json_)


if __name__ == "__main__":
    app()
