"""The command ``eosfm predict``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

REST = "give the scenes that have no line yet: the first goes on from its last finished row"
"""How a prediction of several scenes resumes."""


def predict(
    scenes: Annotated[
        list[str],
        typer.Argument(
            metavar="SCENE [SCENE2 ...]",
            help="A raster (GeoTIFF, JPEG 2000, PNG, JPEG, Imagine, .vrt), a folder of rasters on "
            "one grid, or a STAC item. For change, give two; for a time series, one per date in "
            "order of date, or a folder or a STAC collection of them.",
        ),
    ],
    task: Annotated[
        str,
        typer.Option(help="A task of params.yaml, or a file from models/tasks or `eosfm bundle`."),
    ],
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="PATH",
            help="The file to write: .tif for maps, .csv or .parquet for image labels, .gpkg, "
            ".geojson or .parquet for objects. Or a folder, such as maps/: then each scene is "
            "another place, and gets a file of its own.",
        ),
    ],
    artifact: Annotated[Path, typer.Option(help="The ensemble.")] = Path("models/eosfm.pth"),
    bands: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help="Names of each scene's bands, in order."),
    ] = None,
    scale: Annotated[
        float,
        typer.Option(help="Factor for the scenes' values: 10000 for reflectance from 0 to 1."),
    ] = 1.0,
    offset: Annotated[
        float,
        typer.Option(
            help="Added to the scaled values: -1000 for Sentinel-2 from baseline 04.00 on, if the "
            "file names do not tell it."
        ),
    ] = 0.0,
    nodata: Annotated[
        float | None,
        typer.Option(help="Nodata value, if the files declare none."),
    ] = None,
    bounds: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(
            metavar="W S E N", help="Read a part alone: west, south, east, north in degrees."
        ),
    ] = None,
    dates: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATE...", help="Date of each scene of a time series: 2020-05-01 2020-06-15."
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write one band per class with its probability.")
    ] = False,
    areas: Annotated[
        Path | None,
        typer.Option(help="A .csv file to write pixels, share and hectares of each class to."),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Least score of objects that are written; by default 0.3."),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Side of the sliding window in pixels; by default as in training."),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            help="Overlap of windows in pixels; by default an eighth, for objects a quarter, at "
            "least 32."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default a GPU if there is one.")
    ] = None,
) -> None:
    """Map a scene with a task's best fit.

    Run an interrupted command again to resume after the last finished row of windows.

    Example: eosfm predict scene.tif --task ai4smallfarms -o fields.tif

    Example: eosfm predict scenes/*.tif --task ai4smallfarms -o maps/

    Example: eosfm predict before.tif after.tif --task xview2 -o damage.tif --bands red green blue
    """
    from eosfm.commands.fitted import task_file
    from eosfm.commands.resumed import resumed
    from eosfm.core.errors import EosfmError
    from eosfm.prediction.names import parse_bands
    from eosfm.prediction.opening import expect_there

    fitted, names = task_file(task), parse_bands(bands)
    each = out.endswith("/") or (out != "" and Path(out).is_dir())
    if not each:
        expect_there(scenes)

    from eosfm.prediction.cut import Cut
    from eosfm.prediction.each import predict_each
    from eosfm.prediction.predict import Predictor
    from eosfm.prediction.predict import predict as run
    from eosfm.prediction.scene import ReadOptions

    reading = ReadOptions(names, scale, offset, tuple(dates or ()), nodata, bounds)
    cut = Cut(window, overlap, device)
    if not each:
        with resumed():
            print(run(fitted, artifact, scenes, Path(out), reading, cut, probabilities, min_score,
                      areas))  # fmt: skip
        return
    failed = 0
    with resumed(REST + "; take another --areas" * (areas is not None)):
        predictor = Predictor(fitted, artifact, reading, cut, probabilities, min_score)
        for told in predict_each(predictor, scenes, Path(out), areas):
            failed += told.failed
            where = sys.stderr if told.failed else sys.stdout
            print("error: " * told.failed + told.line, file=where, flush=True)
    if failed:
        raise EosfmError(
            f"{failed} of {len(scenes)} scenes could not be mapped, for the reasons above; mend "
            "them, and give them again" + ", with another --areas" * (areas is not None)
        )
