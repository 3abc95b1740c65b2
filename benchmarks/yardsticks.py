"""How hard the simulated Earth is: what needs no training reaches on real and on simulated images.

    python benchmarks/yardsticks.py --eurosat FOLDER --oscd FOLDER --loveda FOLDER --floods FOLDER

The recipes are tuned until the difference is small, by these yardsticks alone: no specialist and no
ensemble is looked at. Both sides have as many labels and tiles, read by the same reader; the
simulated copy is made on the fly. A line gives the mean over draws of tiles, labels and weights,
and their deviation.
"""

import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from torch.nn import functional

import eosfm.cli
from eosfm.core.splits import Split
from eosfm.datasets import get_dataset
from eosfm.datasets.native.spec import Scene, Window
from eosfm.evaluation.linear_baseline import PENALTIES, STEPS
from eosfm.heads.linear_model import LinearModel, band_statistics
from eosfm.nn.backbone import build_backbone
from eosfm.report.tables import markdown
from eosfm.simulation import Simulation
from eosfm.simulation.recipes import get_recipe

BACKBONE = "convnextv2_atto"
LABELS = 500  # of EuroSAT's images
PIXELS = 6_000  # of each side, to fit and to test
CELL = 8  # pixels around one, whose mean and deviation are its surroundings
FARMED = 2  # LoveDA's tiles of a draw, those with most farmland, as the real ones at hand have
WATER = (0.10, 0.19, 0.24, 0.53)  # shares in the quarters of Sen1Floods11's chip, ascending
CHIPS = 16  # simulated ones, of which that with the most similar shares is taken
RGB_FULL = 2750  # reflectance x 10,000 that is 255 in EuroSAT's RGB edition


@dataclass(frozen=True)
class Side:
    """Images and targets of one side of a draw: known to a model, or what it is tested on."""

    images: Tensor  # (N, T, C, H, W) float32
    targets: Tensor  # (N,) or (N, H, W) int64; -1 does not count


Draw = tuple[Side, Side]
Measure = Callable[[Tensor, Tensor], float]


def main(
    eurosat: Annotated[Path, typer.Option(help="Folder that holds 2750/, the RGB edition.")],
    oscd: Annotated[Path, typer.Option(help="Folder of OSCD's three archives, unpacked.")],
    loveda: Annotated[Path, typer.Option(help="Folder that holds Train/ and Val/.")],
    floods: Annotated[Path, typer.Option(help="Folder that holds v1.1/: one chip in quarters.")],
    draws: Annotated[int, typer.Option(help="Draws of tiles, labels and random weights.")] = 4,
    first: Annotated[
        int, typer.Option(help="The first draw's seed; others tune, others tell.")
    ] = 0,
) -> None:
    """Print the table."""
    rows = [["dataset", "labels", "yardstick", "real", "simulated", "difference"]]
    roots = {"eurosat": eurosat, "oscd": oscd, "loveda": loveda}
    roots |= dict.fromkeys(("sen1floods11", "sen1floods11, radar"), floods)
    for name, root in roots.items():
        real, simulated = (
            _scores(name, source, range(first, first + draws)) for source in (root, None)
        )
        labels = str(LABELS) if name == "eurosat" else f"{PIXELS} pixels"
        for yardstick in real:
            a, b = np.array(real[yardstick]), np.array(simulated[yardstick])
            row = [f"{x.mean():.3f} ± {x.std():.3f}" for x in (a, b)]
            rows.append([name, labels, yardstick, *row, f"{b.mean() - a.mean():+.3f}"])
    print(markdown(rows), flush=True)


def _scores(name: str, root: Path | None, seeds: range) -> dict[str, list[float]]:
    """Scores by yardstick of every draw; without a root, of the simulated Earth."""
    sides, measure = {"eurosat": (_eurosat, accuracy), "oscd": (_oscd, average_precision),
                      "loveda": (_loveda, kappa), "sen1floods11": (_floods, miou),
                      "sen1floods11, radar": (partial(_floods, bands=("vv", "vh")), miou),
                      }[name]  # fmt: skip
    found: dict[str, list[float]] = {}
    for seed, (known, unseen) in zip(seeds, sides(root, seeds), strict=True):
        for yardstick, score in yardsticks(known, unseen, seed, measure):
            found.setdefault(f"{yardstick}, {measure.__name__}", []).append(score)
    return found


def yardsticks(
    known: Side, unseen: Side, seed: int, measure: Measure
) -> Iterator[tuple[str, float]]:
    """Name and score of each yardstick."""
    mean = known.images.mean((0, 3, 4), keepdim=True)
    std = known.images.std((0, 3, 4), keepdim=True)
    sides = [Side((s.images - mean) / std, s.targets) for s in (known, unseen)]
    torch.manual_seed(seed)
    backbone = build_backbone(BACKBONE, known.images.shape[2]).eval()
    per_image = known.targets.ndim == 1
    bands = known.images.shape[1] * known.images.shape[2]
    seen: dict[str, Callable[[Tensor], list[Tensor]]] = {
        "random weights": lambda images: _pyramid(backbone, images),
    }
    if per_image:
        plain = {"band means": slice(bands), "band means and deviations": slice(2 * bands)}
        for name, some in plain.items():
            seen[name] = lambda images, some=some: [band_statistics(images)[:, some, None, None]]
    else:
        seen["pixels"] = lambda images: [images.flatten(1, 2)]
        seen["pixels and their surroundings"] = lambda images: _surroundings(images.flatten(1, 2))
    for name, see in sorted(seen.items()):
        yield name, _score([_samples(side, see, seed) for side in sides], measure)


def _pyramid(backbone: torch.nn.Module, images: Tensor) -> list[Tensor]:
    """Maps (N, T * channels, h, w) at four strides, the dates one after the other."""
    with torch.no_grad():
        parts = [backbone(some.flatten(0, 1)) for some in images.split(32)]
    levels = [torch.cat(level) for level in zip(*parts, strict=True)]
    return [level.unflatten(0, images.shape[:2]).flatten(1, 2) for level in levels]


def _surroundings(bands: Tensor) -> list[Tensor]:
    """The bands, and their mean and deviation in cells, (N, C, h, w) each."""
    mean = functional.avg_pool2d(bands, CELL)
    square = functional.avg_pool2d(bands.square(), CELL)
    return [bands, mean, (square - mean.square()).clamp_min(0).sqrt()]


def _samples(side: Side, see: Callable[[Tensor], list[Tensor]], seed: int) -> tuple[Tensor, Tensor]:
    """(M, C) features and (M,) targets: one for each image, or for some of the pixels."""
    maps = see(side.images)
    if side.targets.ndim == 1:
        return torch.cat([level.mean((2, 3)) for level in maps], 1), side.targets
    places = (side.targets >= 0).nonzero()
    rng = np.random.default_rng(seed)
    image, row, col = places[rng.choice(len(places), min(PIXELS, len(places)), replace=False)].T
    size = side.targets.shape[1]
    strides = [size // level.shape[2] for level in maps]
    features = [m[image, :, row // s, col // s] for m, s in zip(maps, strides, strict=True)]
    return torch.cat(features, 1), side.targets[image, row, col]


def _score(samples: list[tuple[Tensor, Tensor]], measure: Measure) -> float:
    """The test score of logistic regression with the best of some penalties."""
    (x, y), (z, answers) = samples
    start = LinearModel.scaled_to(x, y, int(max(y.max(), answers.max())) + 1)
    x, z = ((side - start.center) / start.scale for side in (x, z))
    scores = []
    for penalty in PENALTIES:
        weight = start.weight.detach().clone().requires_grad_()
        bias = start.bias.detach().clone().requires_grad_()
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

        def closure(optimizer=optimizer, weight=weight, bias=bias, penalty=penalty) -> Tensor:
            optimizer.zero_grad()
            total = functional.cross_entropy(x @ weight + bias, y) + penalty * weight.square().sum()
            total.backward()
            return total

        optimizer.step(closure)
        scores.append(measure((z @ weight + bias).detach(), answers))
    return max(scores)


def accuracy(logits: Tensor, answers: Tensor) -> float:
    """Share of right answers."""
    return float((logits.argmax(1) == answers).float().mean())


def average_precision(logits: Tensor, answers: Tensor) -> float:
    """Of class 1: the mean precision over its members, by descending score."""
    hits = answers[(logits[:, 1] - logits[:, 0]).argsort(descending=True)].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def kappa(logits: Tensor, answers: Tensor) -> float:
    """Cohen's: agreement beyond that of chance, whatever classes there are and how frequent."""
    found = logits.argmax(1)
    agreed = float((found == answers).float().mean())
    shares = [torch.bincount(x, minlength=logits.shape[1]) / len(x) for x in (found, answers)]
    chance = float(shares[0] @ shares[1])
    return (agreed - chance) / (1 - chance)


def miou(logits: Tensor, answers: Tensor) -> float:
    """Intersection over union, mean of the classes."""
    return float(np.nanmean(ious(logits, answers)))


def ious(logits: Tensor, answers: Tensor) -> list[float]:
    """Intersection over union by class, NaN for one that is neither there nor found."""
    found, classes = logits.argmax(1), range(logits.shape[1])
    both, either = (
        [float(join(found == k, answers == k).sum()) for k in classes]
        for join in (torch.logical_and, torch.logical_or)
    )
    return [b / e if e else float("nan") for b, e in zip(both, either, strict=True)]


def _eurosat(root: Path | None, seeds: range) -> Iterator[Draw]:
    """As many labels of each class, in three colours of 8 bits; the rest is tested."""
    with native("eurosat", root, {"train": 0, "val": 0, "test": 2 * LABELS}, 64, 10.0) as scenes:
        pairs = [(read(scene), int(scene.target(whole(scene)))) for scene in scenes]
    images = torch.stack([image for image, _ in pairs])
    if root is None:
        rgb = [get_dataset("eurosat").bands.index(band) for band in ("B04", "B03", "B02")]
        images = (images[:, :, rgb] * (255 / RGB_FULL)).clamp(0, 255).round()
    targets = torch.tensor([target for _, target in pairs])
    for seed in seeds:
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(targets)))
        each = LABELS // len(targets.unique())
        few = torch.cat([order[targets[order] == k][:each] for k in targets.unique()])
        rest = order[~torch.isin(order, few)]
        yield Side(images[few], targets[few]), Side(images[rest], targets[rest])


def _oscd(root: Path | None, seeds: range, size: int = 192, each: int = 2) -> Iterator[Draw]:
    """Two windows of each real city, and a simulated town for each of them."""
    towns: dict[Split, int] = {"train": 11, "val": 1, "test": 8}
    for seed in seeds:
        with native("oscd", root, towns, size, 10.0, seed) as scenes:
            sides: list[list[tuple[Tensor, Tensor]]] = [[], []]
            for scene in scenes:
                rng = np.random.default_rng((seed, zlib.crc32(scene.id.encode())))
                for _ in range(each if root else 1):
                    window = Window(
                        int(rng.integers(scene.height - size + 1)),
                        int(rng.integers(scene.width - size + 1)), size, size,
                    )  # fmt: skip
                    pair = read(scene, window), torch.from_numpy(scene.target(window)).long()
                    sides[scene.split == "test"].append(pair)
        known, unseen = (Side(*map(torch.stack, zip(*side, strict=True))) for side in sides)
        yield known, unseen


def _loveda(root: Path | None, seeds: range, size: int = 256, block: int = 64) -> Iterator[Draw]:
    """Two tiles of farmland, 307 m at 1.2 m: every second block is known, the others are tested."""
    farmed = get_dataset("loveda").classes.index("agriculture")
    for seed in seeds:
        parts: list[tuple[float, Tensor, Tensor]] = []
        with native("loveda", root, {"train": 16, "val": 1, "test": 0}, size, 1.2, seed) as scenes:
            for scene in scenes:
                mask = torch.from_numpy(scene.target(whole(scene))).long()
                step = scene.height // size
                image = functional.avg_pool2d(read(scene)[0], step)[None]
                share = float((mask == farmed).float().mean())
                parts.append((share, image, mask[step // 2 :: step, step // 2 :: step] - 1))
        most = sorted(parts, key=lambda part: part[0])[-FARMED:]
        images, targets = (torch.stack(part) for part in list(zip(*most, strict=True))[1:])
        rows, cols = torch.meshgrid(*2 * [torch.arange(size) // block], indexing="ij")
        even = (rows + cols + seed) % 2 == 0
        known, unseen = (torch.where(part, targets, -1) for part in (even, ~even))
        yield Side(images, known), Side(images, unseen)


def _floods(
    root: Path | None, seeds: range, bands: tuple[str, ...] = (), size: int = 512
) -> Iterator[Draw]:
    """A flooded chip in quarters: those of one diagonal are known, the others are tested."""
    name = "sen1floods11"
    known_bands = get_dataset(name).bands
    some = [known_bands.index(band) for band in bands or known_bands]
    counts: dict[Split, int] = {"train": CHIPS, "val": 1, "test": 1}
    for seed in seeds:
        with native(name, root, counts, size, 10.0, seed) as scenes:
            parts = [
                (read(scene)[:, some], torch.from_numpy(scene.target(whole(scene))).long())
                for scene in scenes
            ]
        images, targets = (torch.stack(part) for part in zip(*parts, strict=True))
        if root is None:
            images, targets = _most_alike(_quarters(images), _quarters(targets))
        one, other = (0, 3), (1, 2)
        if seed % 2:
            one, other = other, one
        yield Side(images[[*one]], targets[[*one]]), Side(images[[*other]], targets[[*other]])


def _quarters(maps: Tensor) -> Tensor:
    """(N, 4, ..., H / 2, W / 2) of (N, ..., H, W)."""
    halves = [half for rows in maps.chunk(2, -2) for half in rows.chunk(2, -1)]
    return torch.stack(halves, 1)


def _most_alike(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The chip without cloud whose quarters have the shares of water that the real ones have."""
    shares = (targets == 1).float().mean((2, 3)).sort(1).values
    away = (shares - torch.tensor(WATER)).abs().sum(1)
    away[(targets < 0).any(3).any(2).any(1)] = torch.inf
    best = int(away.argmin())
    return images[best], targets[best]


@contextmanager
def native(
    name: str, root: Path | None, counts: dict[Split, int], size: int, gsd: float, seed: int = 0
) -> Iterator[list[Scene]]:
    """The scenes of a real copy, or of one that is simulated for as long as they are read."""
    with tempfile.TemporaryDirectory() as folder:
        if root is None:
            root = Path(folder)
            get_recipe(name)(root, Simulation(seed, counts, size, gsd))
        yield list(get_dataset(name).scenes(root))


def whole(scene: Scene) -> Window:
    return Window(0, 0, scene.height, scene.width)


def read(scene: Scene, window: Window | None = None) -> Tensor:
    """(T, C, h, w) float32."""
    return torch.from_numpy(scene.image(window or whole(scene)).astype(np.float32))


if __name__ == "__main__":
    eosfm.cli.run(main)
