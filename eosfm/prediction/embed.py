"""Embeds a scene: the ensemble's features, without any task, as a raster of few components."""

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact
from eosfm.encoding.encoder import build_encoder
from eosfm.evaluation.fitted import file_hash
from eosfm.fusion.fuser import Fuser
from eosfm.model import EosFM
from eosfm.prediction.components import STRIDE, Basis, Components, fit_components, weighted_levels
from eosfm.prediction.cut import Cut
from eosfm.prediction.geotiff import FEATURE, Form, bounded_cache, finished, writing, written
from eosfm.prediction.grid import Grid
from eosfm.prediction.plausible import note_missing, note_zeros
from eosfm.prediction.predict import check_out
from eosfm.prediction.rows import Arrays, Rows
from eosfm.prediction.scene import ReadOptions, Scene, named_bands, open_scene
from eosfm.prediction.stac import Item, is_stac, read_items
from eosfm.prediction.windows import Part, Read, Sweep, strips

WINDOW = 512
"""Default side of the windows in pixels."""
DIMS = 16
"""Default number of components."""


DTYPES = ("int8", "float16")


def embed(
    artifact: Path,
    path: str,
    out: Path,
    reading: ReadOptions,
    dims: int | None,
    dtype: str,
    spectral: bool,
    cut: Cut,
    shared: Path | None = None,
) -> str:
    """Write a scene's features.

    An interrupted run resumes as :func:`eosfm.prediction.predict.predict` does.

    Bands are standardised by the scene's own statistics. The levels of all specialists that accept
    them are normalised over channels, weighted equally and concatenated at stride 4; the first
    principal components of these features are written.

    Args:
        artifact: The ensemble.
        path: The scene: a raster, a folder, or a STAC item.
        out: The GeoTIFF to write.
        reading: How the scene is read; its dates are not looked at.
        dims: Number of components; None for those of ``shared``, or :data:`DIMS`.
        dtype: ``int8`` (with a scale in the file) or ``float16``.
        spectral: Whether to add a pyramid of the bands themselves, weighted as one specialist.
        cut: How the scene is cut.
        shared: A file of bands, statistics and components. If it is there, they are used in place
            of the scene's own; otherwise the scene's own are kept in it, for other scenes.

    Returns:
        One line for the user.

    Raises:
        EosfmError: Files or options do not fit each other.
    """
    if dtype not in DTYPES:
        raise EosfmError(f"--dtype {dtype}; expected {' or '.join(DTYPES)}")
    check_out(out, (".tif", ".tiff"), [path])
    weights = file_hash(artifact)
    basis = _kept(shared, weights, dims, spectral)
    with bounded_cache():
        source = _source(path)
        asked = reading.bands if isinstance(source, Item) else None  # they name a raster's own
        if basis and asked and set(asked) != set(basis.bands):
            raise EosfmError(
                f"--bands {' '.join(asked)}, and {shared} was fitted with "
                f"{' '.join(basis.bands)}; leave --bands out"
            )
        bands = list(basis.bands) if basis else _bands(source, reading.bands)
        scene = open_scene(source, bands, None, reading)
        check_out(out, (".tif", ".tiff"), scene.files)
        sample = scene.sample()
        mean, std = _statistics(sample, scene.path)
        zeros = note_zeros(scene, sample)
        if zeros and shared and basis is None:  # which would keep their part in it
            zeros += f", and remove {shared} first"
        if basis and shared:
            basis.expect_like(mean, std, scene.path, shared)
            mean, std, spectral = basis.mean, basis.std, basis.spectral
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # skipped specialists are counted
            encoder = build_encoder(load_artifact(artifact), bands, copy=False, spectral=spectral)
        backbone = EosFM(encoder, Fuser(encoder.inputs, fusion="concat")).to(cut.where).eval()
        sweep = cut.sweep(scene.grid.size, WINDOW)
        read = partial(_read, scene, mean, std)
        if basis is None:
            count = DIMS if dims is None else dims
            with torch.inference_mode():
                fitted = fit_components(backbone, read, sweep, count, cut.where)
            basis = Basis(weights, tuple(bands), mean, std, spectral, fitted)
            if shared:
                basis.save(shared)
        components = basis.components.to(cut.where)
        rows = Rows(
            out, Path(__file__), len(sweep.rows), scene.identity(), basis.identity(),
            sweep, cut.load(sweep), dtype, cut.where.type,
        )  # fmt: skip
        form = _form(components, dtype)
        rows.fill(lambda first: _made(backbone, read, sweep, components, form, cut, first))
        missing = _write(out, scene.grid, rows, components, form)
    rows.remove()
    count = len(encoder.specialists)
    skipped = f" ({len(encoder.skipped)} more cannot be fed)" * bool(encoder.skipped)
    notes = note_missing(missing) + scene.note + zeros
    return (
        f"{out}: {len(components.centre)} components of {sum(backbone.out_channels)} features of "
        f"{count} specialists{skipped}, {components.explained:.0%} of the variance{notes}"
    )


def _kept(shared: Path | None, artifact: str, dims: int | None, spectral: bool) -> Basis | None:
    """The basis that a file holds; None without one.

    Raises:
        EosfmError: It is not what the other options ask for.
    """
    if shared is None or not shared.exists():
        return None
    basis = Basis.load(shared, artifact)
    count = len(basis.components.centre)
    if dims not in (None, count):
        raise EosfmError(f"--dims {dims}, and {shared} has {count}; leave --dims out")
    if spectral and not basis.spectral:
        raise EosfmError(f"--spectral, and {shared} was fitted without; leave --spectral out")
    return basis


def _statistics(sample: np.ndarray, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation (bands,) of a sample (bands, N) of a scene.

    Raises:
        EosfmError: A band has no measured pixel.
    """
    if np.isnan(sample).all(axis=1).any():
        raise EosfmError(f"{path} has a band without any measured pixel; leave it out")
    mean, std = (f(sample, axis=1, dtype=np.float64) for f in (np.nanmean, np.nanstd))
    return np.asarray(mean, np.float32), np.where(std > 0, std, 1.0).astype(np.float32)


def _read(
    scene: Scene, mean: np.ndarray, std: np.ndarray, row: int, col: int, size: tuple[int, int]
) -> Part:
    """Read and standardise a window; pixels that were not measured get their band's mean."""
    values = (scene.read(row, col, *size) - mean[:, None, None]) / std[:, None, None]
    unknown = np.asarray(np.isnan(values).all(axis=0))
    return Part(torch.from_numpy(np.nan_to_num(values, nan=0.0))[None], unknown, torch.zeros(1))


def _form(components: Components, dtype: str) -> Form:
    names = tuple(f"{FEATURE} {number}" for number in range(1, len(components.centre) + 1))
    if dtype == "float16":  # GDAL stores 16-bit floats
        return Form("float32", np.nan, names, "average", lambda scores: scores[0], {"nbits": 16})

    def steps(scores: Tensor) -> Tensor:
        return (scores[0] / components.step).round().clamp(-127, 127).to(torch.int8)

    return Form("int8", -128, names, "average", steps)


def _made(
    backbone: EosFM, read: Read, sweep: Sweep, components: Components,
    form: Form, cut: Cut, first: int,
) -> Iterator[Arrays]:  # fmt: skip
    """Strips as they are written, from row ``first`` of the windows on."""

    def answer(images: Tensor, days: Tensor) -> Tensor:
        with torch.inference_mode():
            return components.project(weighted_levels(backbone, images.flatten(0, 1).to(cut.where)))

    for strip in strips(
        sweep, read, answer, len(components.centre), cut.load(sweep), STRIDE, "embed", first,
    ):  # fmt: skip
        yield finished(strip, form)


def _write(out: Path, grid: Grid, rows: Rows, components: Components, form: Form) -> float:
    """Write kept rows at a quarter of a grid's resolution; return the share of nodata cells."""
    cells = Grid(
        -(-grid.height // STRIDE), -(-grid.width // STRIDE), grid.crs,
        grid.transform @ grid.transform.scale(STRIDE),
    )  # fmt: skip
    with writing(out, cells, form) as raster:
        if form.dtype == "int8":
            raster.scales = (components.step,) * len(form.names)
        missing = sum(int(kept["unknown"].sum()) for kept in written(raster, rows))
        return missing / (cells.height * cells.width)


def _source(path: str) -> str | Item:
    """The scene, or the item that a STAC file holds.

    Raises:
        EosfmError: It holds several.
    """
    if not is_stac(path):
        return path
    item, *more = read_items(path)
    if more:
        raise EosfmError(f"{path} holds {1 + len(more)} items; give one, for a scene of one date")
    return item


def _bands(path: str | Item, names: Sequence[str] | None) -> list[str]:
    """The named bands of a scene, each once; of an item, those wanted, or all."""
    if isinstance(path, Item):
        there: Sequence[str | None] = [name for asset in path.assets for name in asset.bands]
    else:
        there = named_bands(path)
    named = [name for name in names or there if name is not None]
    if not named:
        raise EosfmError(f"{path} names no band; name them in their order: --bands B02 B03 ...")
    return list(dict.fromkeys(named))
