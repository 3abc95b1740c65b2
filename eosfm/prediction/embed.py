"""Embeds a scene: the ensemble's features, without any task, as a raster of few components."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import build_encoder
from eosfm.evaluation.fitted import file_hash
from eosfm.fusion.fuser import Fuser
from eosfm.model import EosFM
from eosfm.nn.backbone import STRIDES
from eosfm.prediction.cut import Cut
from eosfm.prediction.geotiff import bounded_cache, writing, written
from eosfm.prediction.grid import Grid
from eosfm.prediction.predict import check_out
from eosfm.prediction.rows import Arrays, Rows
from eosfm.prediction.scene import Scene, named_bands, open_scene
from eosfm.prediction.windows import Part, Sweep, strips

STRIDE = STRIDES[0]
WINDOW = 512
"""Default side of the windows in pixels."""
FITTING_WINDOWS = 16
"""Windows, spread over the scene, that the principal components are fitted on."""
FITTING_MB = 256
"""MiB for the features of the sampled cells."""
TAIL = 0.999
"""Share of the sample's values that int8 holds unclipped."""


@dataclass(frozen=True)
class Form:
    """How components are stored.

    Attributes:
        dtype: Data type of the file and of kept rows.
        nodata: Value of cells without a measurement.
        scaled: Whether values are stored as integers, in units of :attr:`Components.step`.
        options: Creation options of GDAL's GeoTIFF driver.
    """

    dtype: str
    nodata: float
    scaled: bool
    options: Mapping[str, int]


FORMS = {
    "int8": Form("int8", -128.0, True, {}),
    "float16": Form("float32", np.nan, False, {"nbits": 16}),  # GDAL stores 16-bit floats
}


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


def embed(
    artifact: Path,
    path: str,
    out: Path,
    names: Sequence[str] | None,
    dims: int,
    dtype: str,
    spectral: bool,
    cut: Cut,
    nodata: float | None = None,
) -> str:
    """Write a scene's features.

    An interrupted run resumes as :func:`eosfm.prediction.predict.predict` does.

    Bands are standardised by the scene's own statistics. The levels of all specialists that accept
    them are normalised over channels, weighted equally and concatenated at stride 4; the first
    principal components of these features are written.

    Args:
        artifact: The ensemble.
        path: The scene.
        out: The GeoTIFF to write.
        names: Its bands in their order; None to read them from its files.
        dims: Number of components.
        dtype: ``int8`` (with a scale in the file) or ``float16``.
        spectral: Whether to add a pyramid of the bands themselves, weighted as one specialist.
        cut: How the scene is cut.
        nodata: Nodata value if nothing declares one.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Files or options do not fit each other.
    """
    if dtype not in FORMS:
        raise EosfmError(f"--dtype {dtype}; expected {' or '.join(FORMS)}")
    check_out(out, (".tif", ".tiff"), [path])
    with bounded_cache():
        bands = _bands(path, names)
        scene = open_scene(path, bands, None, names, nodata=nodata)
        check_out(out, (".tif", ".tiff"), scene.files)
        reader = _Reader(scene)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # skipped specialists are counted
            encoder = build_encoder(load_artifact(artifact), bands, copy=False, spectral=spectral)
        backbone = EosFM(encoder, Fuser(encoder.inputs, fusion="concat")).to(cut.where).eval()
        if not 1 <= dims <= sum(backbone.out_channels):
            raise EosfmError(f"--dims {dims}; expected 1 to {sum(backbone.out_channels)}")
        sweep = cut.sweep(scene.grid.size, WINDOW)
        with torch.inference_mode():
            components = fit_components(backbone, reader, sweep, dims, cut.where)
        rows = Rows(
            out, Path(__file__), len(sweep.rows), file_hash(artifact), scene.identity(), bands,
            sweep, cut.load(sweep), dims, dtype, spectral, cut.where.type,
        )  # fmt: skip
        rows.fill(lambda first: _made(backbone, reader, sweep, components, dtype, cut, first))
        missing = _write(out, scene.grid, rows, components, dtype)
    rows.remove()
    count = len(encoder.specialists)
    skipped = f" ({len(encoder.skipped)} more cannot be fed)" * bool(encoder.skipped)
    share = f", {missing:.0%} without a measurement" * bool(missing)
    return (
        f"{out}: {dims} components of {sum(backbone.out_channels)} features of {count} "
        f"specialists{skipped}, {components.explained:.0%} of the variance{share}"
    )


def fit_components(
    backbone: EosFM, reader: "_Reader", sweep: Sweep, dims: int, where: torch.device
) -> Components:
    """Fit principal components on cells of some windows.

    Raises:
        EosfmError: They have no more measured cells than ``dims``, or all features are equal.
    """
    places = [(row, col) for row in sweep.rows for col in sweep.cols]
    chosen = np.linspace(0, len(places) - 1, min(FITTING_WINDOWS, len(places))).round().astype(int)
    channels = sum(backbone.out_channels)
    each = FITTING_MB * 2**20 // (4 * channels * len(chosen))
    rng, cells = np.random.default_rng(0), []
    bar = tqdm(chosen, desc="embed: components", unit="window", disable=None, leave=False)
    for row, col in (places[place] for place in bar):
        part = reader.read(row, col, sweep.window)
        known = np.argwhere(~part.unknown[::STRIDE, ::STRIDE])
        if len(known):
            known = rng.permutation(known)[:each]
            cells.append(
                _at(_levels(backbone, part.image.to(where)), torch.from_numpy(known)).cpu()
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


class _Reader:
    """Reads windows of a scene, standardised by the scene's own statistics.

    Raises:
        EosfmError: A band has no measured pixel.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        sample = scene.sample()
        if np.isnan(sample).all(axis=1).any():
            raise EosfmError(f"{scene.path} has a band without any measured pixel; leave it out")
        mean, std = (f(sample, axis=1, dtype=np.float64) for f in (np.nanmean, np.nanstd))
        self.mean = np.asarray(mean, np.float32)[:, None, None]
        self.std = np.where(std > 0, std, 1.0).astype(np.float32)[:, None, None]

    def read(self, row: int, col: int, size: tuple[int, int]) -> Part:
        """Read a window; pixels that were not measured get their band's mean."""
        values = (self.scene.read(row, col, *size) - self.mean) / self.std
        unknown = np.asarray(np.isnan(values).all(axis=0))
        return Part(torch.from_numpy(np.nan_to_num(values, nan=0.0))[None], unknown, torch.zeros(1))


def _made(
    backbone: EosFM, reader: _Reader, sweep: Sweep, components: Components, dtype: str, cut: Cut,
    first: int,
) -> Iterator[Arrays]:  # fmt: skip
    """Strips as they are written, from row ``first`` of the windows on."""

    def answer(images: Tensor, days: Tensor) -> Tensor:
        with torch.inference_mode():
            return components.project(_levels(backbone, images.flatten(0, 1).to(cut.where)))

    form = FORMS[dtype]
    for strip in strips(
        sweep, lambda row, col: reader.read(row, col, sweep.window), answer,
        len(components.centre), cut.load(sweep), STRIDE, "embed", first,
    ):  # fmt: skip
        values = strip.values
        if form.scaled:
            values = (values / components.step).round().clamp(-127, 127)
        known = np.where(strip.unknown, form.nodata, values.numpy())
        yield {"values": known.astype(form.dtype), "unknown": strip.unknown}


def _write(out: Path, grid: Grid, rows: Rows, components: Components, dtype: str) -> float:
    """Write kept rows at a quarter of a grid's resolution; return the share of nodata cells."""
    cells = Grid(
        -(-grid.height // STRIDE), -(-grid.width // STRIDE), grid.crs,
        grid.transform @ grid.transform.scale(STRIDE),
    )  # fmt: skip
    dims, form = len(components.centre), FORMS[dtype]
    names = [f"component {number}" for number in range(1, dims + 1)]
    with writing(out, cells, form.dtype, form.nodata, names, "average", **form.options) as raster:
        if form.scaled:
            raster.scales = (components.step,) * dims
        missing = sum(int(kept["unknown"].sum()) for kept in written(raster, rows))
        return missing / (cells.height * cells.width)


def _levels(backbone: EosFM, images: Tensor) -> list[Tensor]:
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


def _bands(path: str, names: Sequence[str] | None) -> list[str]:
    """The named bands of a scene, each once."""
    named = [name for name in names or named_bands(path) if name is not None]
    if not named:
        raise EosfmError(f"{path} names no band; name them in their order: --bands B02 B03 ...")
    return list(dict.fromkeys(named))


def _at(levels: Sequence[Tensor], cells: Tensor) -> Tensor:
    """Features (N, C) at cells (N, 2) of the finest level, coarser ones upsampled bilinearly."""
    size = torch.tensor(levels[0].shape[-2:])
    place = ((cells + 0.5) / size * 2 - 1).flip(1)[None, None].to(levels[0].device).float()
    parts = [
        F.grid_sample(level, place, padding_mode="border", align_corners=False)[0, :, 0]
        for level in levels
    ]
    return torch.cat(parts).T
