"""The command ``eosfm embed``."""

from pathlib import Path
from typing import Annotated

import typer


def embed(
    scene: Annotated[
        str,
        typer.Argument(
            help="A raster (GeoTIFF, JPEG 2000, PNG, JPEG, Imagine, .vrt), a folder of rasters on "
            "one grid, or a STAC item."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .tif file to write.")],
    artifact: Annotated[Path, typer.Option(help="The ensemble.")] = Path("models/eosfm.pth"),
    bands: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME...",
            help="Names of the scene's bands, in order; of a STAC item, those to use.",
        ),
    ] = None,
    scale: Annotated[
        float, typer.Option(help="Factor for the scene's values, for --components.")
    ] = 1.0,
    offset: Annotated[
        float, typer.Option(help="Added to the scaled values, for --components.")
    ] = 0.0,
    nodata: Annotated[
        float | None,
        typer.Option(help="Nodata value, if the file declares none."),
    ] = None,
    bounds: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(
            metavar="W S E N", help="Read a part alone: west, south, east, north in degrees."
        ),
    ] = None,
    components: Annotated[
        Path | None,
        typer.Option(
            help="An .npz file that scenes share, for comparable features: the first scene writes "
            "its bands, statistics and components there, and the others use them."
        ),
    ] = None,
    dims: Annotated[
        int | None,
        typer.Option(help="Number of principal components; by default 16, or as in --components."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Data type of the output: int8 or float16.")] = "int8",
    spectral: Annotated[
        bool, typer.Option("--spectral", help="Add means and deviations of the bands.")
    ] = False,
    window: Annotated[
        int | None, typer.Option(help="Side of the sliding window in pixels; by default 512.")
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(help="Overlap of the windows in pixels; by default an eighth, at least 32."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default a GPU if there is one.")
    ] = None,
) -> None:
    """Write a scene's features, for your own models.

    The output is a GeoTIFF of a few principal components, at a quarter of the scene's resolution.
    Run an interrupted command again to resume after the last finished row of windows.

    Example: eosfm embed scene.tif -o features.tif --bands B02 B03 B04 B08

    Example: eosfm embed other.tif -o others.tif --components area.npz
    """
    from eosfm.commands.resumed import resumed
    from eosfm.prediction.names import parse_bands
    from eosfm.prediction.opening import expect_there

    expect_there([scene])
    names = parse_bands(bands)

    from eosfm.prediction.cut import Cut
    from eosfm.prediction.embed import embed as run
    from eosfm.prediction.scene import ReadOptions

    reading = ReadOptions(names, scale, offset, nodata=nodata, bounds=bounds)
    cut = Cut(window, overlap, device)
    with resumed():
        print(run(artifact, scene, out, reading, dims, dtype, spectral, cut, components))
