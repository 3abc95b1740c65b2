"""Principal components of an ensemble's features, which scenes can share."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from eosfm.core.bands import band
from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.core.mapped import DAMAGED
from eosfm.core.progress import progress
from eosfm.model import EosFM
from eosfm.nn.pyramid import STRIDES
from eosfm.prediction.channels import RADAR
from eosfm.prediction.windows import WINDOWS, Read, Sweep

STRIDE = STRIDES[0]
FITTING_WINDOWS = 16
"""Windows, spread over the scene, that the principal components are fitted on."""
FITTING_MB = 256
"""MiB for the features of the sampled cells."""
TAIL = 0.999
"""Share of the sample's values that int8 holds unclipped."""
ALIKE = 30
"""Most that scenes in the same units differ in brightness by: snow and forest less, units more."""


@dataclass(frozen=True)
class Components:
    """Principal components of the concatenated levels.

    Attributes:
        directions: (C, dims) orthonormal.
        centre: (dims,) projection of the mean feature.
        reach: Absolute value that few cells exceed (see :data:`TAIL`).
        explained: Share of the sample's variance, 0 to 1.
    """

    directions: Tensor
    centre: Tensor
    reach: float
    explained: float

    @property
    def step(self) -> float:
        """Value of one int8 step."""
        return self.reach / 127

    def to(self, where: torch.device) -> "Components":
        """The same on a device."""
        return replace(self, directions=self.directions.to(where), centre=self.centre.to(where))

    def project(self, levels: Sequence[Tensor]) -> Tensor:
        """Project levels (B, C_k, h_k, w_k) to (B, dims, h_0, w_0).

        Levels are projected before they are upsampled: both are linear, so the order is free.
        """
        finest = levels[0].shape[-2:]
        parts = self.directions.split([level.shape[1] for level in levels])
        sums = -self.centre[:, None, None]
        for level, part in zip(levels, parts, strict=True):
            small = F.conv2d(level, part.T[:, :, None, None])
            sums = sums + F.interpolate(small, size=finest, mode="bilinear", align_corners=False)
        return sums


@dataclass(frozen=True)
class Basis:
    """What embeddings of several scenes share, so that the same value means the same.

    Attributes:
        artifact: SHA-256 of the ensemble.
        bands: The bands, in order.
        mean: (bands,) float32, subtracted from each band.
        std: (bands,) float32, by which each band is divided then.
        spectral: Whether the pyramid of the bands themselves is part of the features.
        components: Principal components of the features.
    """

    artifact: str
    bands: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    spectral: bool
    components: Components

    def save(self, path: Path) -> None:
        """Write it as a NumPy archive (``.npz``)."""
        with atomic(path) as beside, beside.open("wb") as file:
            np.savez(file, **self._arrays())  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path, artifact: str) -> "Basis":
        """Read what :meth:`save` wrote.

        Args:
            path: The file.
            artifact: SHA-256 of the ensemble that is used now.

        Raises:
            EosfmError: It is damaged or another kind of file, or belongs to another ensemble.
        """
        try:
            with np.load(path, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            directions, centre = map(torch.from_numpy, (arrays["directions"], arrays["centre"]))
            reach, explained = float(arrays["reach"]), float(arrays["explained"])
            basis = cls(
                str(arrays["artifact"]), tuple(map(str, arrays["bands"])), arrays["mean"],
                arrays["std"], bool(arrays["spectral"]),
                Components(directions, centre, reach, explained),
            )  # fmt: skip
        except (*DAMAGED, AttributeError, TypeError):  # the last two of single arrays
            raise EosfmError(
                f"{path} is damaged, or no file that `eosfm embed --components` wrote; give another"
            ) from None
        if basis.artifact != artifact:
            raise EosfmError(
                f"{path} belongs to the ensemble with SHA-256 {basis.artifact[:12]}..., and "
                f"--artifact has {artifact[:12]}...; give that ensemble, or another --components"
            )
        return basis

    def identity(self) -> str:
        """SHA-256 of its content."""
        digest = hashlib.sha256()
        for array in self._arrays().values():
            digest.update(array.tobytes())
        return digest.hexdigest()

    def expect_like(self, mean: np.ndarray, std: np.ndarray, scene: str, path: Path) -> None:
        """Refuse a scene whose values are in other units than those that it was fitted on.

        Args:
            mean: (bands,) of the scene.
            std: (bands,) of the scene.
            scene: Its name.
            path: The file of the basis.

        Raises:
            EosfmError: Its brightest band is brighter or darker by more than :data:`ALIKE`, or only
                one of both has radar in decibels.
        """
        pairs = ((mean, std), (self.mean, self.std))
        here, there = (float((np.abs(of) + 2 * spread).max()) for of, spread in pairs)
        radar = np.array([band(name).common.startswith(RADAR) for name in self.bands])
        decibels = ((mean < 0) != (self.mean < 0))[radar].any()
        if decibels or not there / ALIKE <= here <= there * ALIKE:
            raise EosfmError(
                f"{scene} has values of other units ({_told(mean)}) than the scene of {path} "
                f"({_told(self.mean)}); bring them to the same units, such as by --scale"
            )

    def _arrays(self) -> dict[str, np.ndarray]:
        one = self.components
        return {
            "artifact": np.array(self.artifact), "bands": np.array(self.bands), "mean": self.mean,
            "std": self.std, "spectral": np.array(self.spectral),
            "directions": one.directions.cpu().numpy(), "centre": one.centre.cpu().numpy(),
            "reach": np.array(one.reach), "explained": np.array(one.explained),
        }  # fmt: skip


def _told(mean: np.ndarray) -> str:
    return f"means of {mean.min():.3g} to {mean.max():.3g}"


def fit_components(
    backbone: EosFM, read: Read, sweep: Sweep, dims: int, where: torch.device
) -> Components:
    """Fit principal components on cells of some windows.

    Args:
        backbone: The ensemble; its levels are concatenated.
        read: Reads a standardised window: at a row and column, of a size.
        sweep: The windows.
        dims: Number of components.
        where: Device of the backbone.

    Raises:
        EosfmError: There are fewer features than ``dims``, or no more measured cells, or all
            features are equal.
    """
    channels = sum(backbone.out_channels)
    if not 1 <= dims <= channels:
        raise EosfmError(f"--dims {dims}; expected 1 to {channels}")
    places = [(row, col) for row in sweep.rows for col in sweep.cols]
    chosen = np.linspace(0, len(places) - 1, min(FITTING_WINDOWS, len(places))).round().astype(int)
    each = FITTING_MB * 2**20 // (4 * channels * len(chosen))
    rng, cells = np.random.default_rng(0), []
    bar = progress(WINDOWS, iterable=chosen, desc="embed: components", unit="window")
    for row, col in (places[place] for place in bar):
        part = read(row, col, sweep.window)
        known = np.argwhere(~part.unknown[::STRIDE, ::STRIDE])
        if len(known):
            known = rng.permutation(known)[:each]
            cells.append(
                at_cells(
                    weighted_levels(backbone, part.image.to(where)), torch.from_numpy(known)
                ).cpu()
            )
    count = sum(map(len, cells))
    if count <= dims:
        raise EosfmError(f"{count} measured cells were found; expected more than --dims {dims}")
    sample = torch.cat(cells)
    mean = sample.mean(0)
    sample -= mean
    with torch.random.fork_rng(devices=[]):  # the decomposition starts from a random guess
        torch.manual_seed(0)
        directions = torch.svd_lowrank(sample, min(dims + 8, *sample.shape), niter=4)[2][:, :dims]
    peaks = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    directions = directions * peaks.sign()  # fix the arbitrary signs
    scores = sample @ directions
    reach = float(np.quantile(scores.abs().numpy(), TAIL))
    if not reach:
        raise EosfmError("all features of the sample are the same; take a scene that shows more")
    explained = float(scores.square().sum() / sample.square().sum())
    return Components(directions.to(where), (mean @ directions).to(where), reach, explained)


def weighted_levels(backbone: EosFM, images: Tensor) -> list[Tensor]:
    """Fused levels, weighted equally: coarse ones have the most channels, but no detail.

    The pyramid of the bands themselves, if there is one, weighs as much as one specialist.
    """
    levels = backbone(images)
    if backbone.encoder.spectral is not None:
        one, bands = (backbone.inputs[index].channels for index in (0, -1))
        levels = [
            torch.cat([level[:, :-last], level[:, -last:] * (width / last) ** 0.5], dim=1)
            for level, width, last in zip(levels, one, bands, strict=True)
        ]
    return [level / level.shape[1] ** 0.5 for level in levels]


def at_cells(levels: Sequence[Tensor], cells: Tensor) -> Tensor:
    """Features (N, C) at cells (N, 2) of the finest level, coarser ones upsampled bilinearly."""
    size = torch.tensor(levels[0].shape[-2:])
    place = ((cells + 0.5) / size * 2 - 1).flip(1)[None, None].to(levels[0].device).float()
    parts = [
        F.grid_sample(level, place, padding_mode="border", align_corners=False)[0, :, 0]
        for level in levels
    ]
    return torch.cat(parts).T
