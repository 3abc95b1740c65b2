"""SpaceNet 7's files: monthly Planet mosaics of growing towns and footprints of their buildings."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.native.labels import draw_polygons
from eosfm.datasets.native.listing import folders, matching, parse, require
from eosfm.datasets.native.raster import read_bands
from eosfm.datasets.native.scenes import Part, raster_scene
from eosfm.datasets.native.spec import Archive, Dataset, Scene, Source, Window

BANDS = ("red", "green", "blue")
IGNORE = 255
CRS = "EPSG:3857"
TRAIN = (
    "L15-0331E-1257N_1327_3160_13", "L15-0358E-1220N_1433_3310_13", "L15-0457E-1135N_1831_3648_13",
    "L15-0487E-1246N_1950_3207_13", "L15-0577E-1243N_2309_3217_13", "L15-0586E-1127N_2345_3680_13",
    "L15-0595E-1278N_2383_3079_13", "L15-0632E-0892N_2528_4620_13", "L15-0683E-1006N_2732_4164_13",
    "L15-0924E-1108N_3699_3757_13", "L15-1015E-1062N_4061_3941_13", "L15-1138E-1216N_4553_3325_13",
    "L15-1203E-1203N_4815_3378_13", "L15-1204E-1202N_4816_3380_13", "L15-1209E-1113N_4838_3737_13",
    "L15-1210E-1025N_4840_4088_13", "L15-1276E-1107N_5105_3761_13", "L15-1298E-1322N_5193_2903_13",
    "L15-1389E-1284N_5557_3054_13", "L15-1438E-1134N_5753_3655_13", "L15-1439E-1134N_5759_3655_13",
    "L15-1481E-1119N_5927_3715_13", "L15-1538E-1163N_6154_3539_13", "L15-1615E-1206N_6460_3366_13",
    "L15-1669E-1153N_6678_3579_13", "L15-1669E-1160N_6679_3549_13", "L15-1672E-1207N_6691_3363_13",
    "L15-1703E-1219N_6813_3313_13", "L15-1709E-1112N_6838_3742_13", "L15-1716E-1211N_6864_3345_13",
)  # fmt: skip
VAL = (
    "L15-0357E-1223N_1429_3296_13", "L15-0361E-1300N_1446_2989_13", "L15-0368E-1245N_1474_3210_13",
    "L15-0566E-1185N_2265_3451_13", "L15-0614E-0946N_2459_4406_13", "L15-0760E-0887N_3041_4643_13",
    "L15-1014E-1375N_4056_2688_13", "L15-1049E-1370N_4196_2710_13", "L15-1185E-0935N_4742_4450_13",
    "L15-1289E-1169N_5156_3514_13", "L15-1296E-1198N_5184_3399_13", "L15-1615E-1205N_6460_3370_13",
    "L15-1617E-1207N_6468_3360_13", "L15-1669E-1160N_6678_3548_13", "L15-1748E-1247N_6993_3202_13",
)  # fmt: skip
TEST = (
    "L15-0387E-1276N_1549_3087_13", "L15-0434E-1218N_1736_3318_13", "L15-0506E-1204N_2027_3374_13",
    "L15-0544E-1228N_2176_3279_13", "L15-0977E-1187N_3911_3441_13", "L15-1025E-1366N_4102_2726_13",
    "L15-1172E-1306N_4688_2967_13", "L15-1200E-0847N_4802_4803_13", "L15-1204E-1204N_4819_3372_13",
    "L15-1335E-1166N_5342_3524_13", "L15-1479E-1101N_5916_3785_13", "L15-1690E-1211N_6763_3346_13",
    "L15-1691E-1211N_6764_3347_13", "L15-1848E-0793N_7394_5018_13",
)  # fmt: skip
AOIS: dict[Split, tuple[str, ...]] = {"train": TRAIN, "val": VAL, "test": TEST}
"""The labelled areas as Hafner, Ban and Nascetti (2023, doi 10.3390/rs15215135) divide them."""


def months(root: Path) -> Iterator[list[Scene]]:
    """Yield the labelled months of each area, in order of time; areas of no list are left out.

    Pixels that the dataset's masks call unusable (cloud, haze) are 0 in the image and ignored in
    the target, which is 1 where a footprint covers the pixel's middle.

    Args:
        root: The folder that holds ``train``.

    Raises:
        EosfmError: A folder or file is missing, damaged or misnamed.
    """
    splits = {aoi: split for split, aois in AOIS.items() for aoi in aois}
    train = require(root / "train", "the folder train of SN7_buildings_train.tar.gz")
    for folder in folders(train):
        expected = f"the dataset's areas such as {AOIS['train'][0]}"
        parse(r"L15-\d{4}E-\d{4}N_\d+_\d+_13", folder.name, folder, expected)
        if folder.name in splits:
            labels = require(folder / "labels_match", f"the footprints of {folder.name}")
            files = matching(labels, "*_Buildings.geojson")
            yield [_month(splits[folder.name], folder, label) for label in files]


def _month(split: Split, folder: Path, label: Path) -> Scene:
    aoi, mosaic = folder.name, label.stem.removesuffix("_Buildings")
    pattern = rf"global_monthly_(\d{{4}})_(\d\d)_mosaic_{aoi}"
    month = parse(pattern, mosaic, label, f"global_monthly_<year>_<month>_mosaic_{aoi}")
    image = Part(folder / "images_masked" / f"{mosaic}.tif", 4, _usable, dtype="uint8")
    date = f"{month[1]}-{month[2]}-01"
    scene = raster_scene(mosaic, split, [image], Part(label), dates=[date])
    if scene.transform is None:
        raise EosfmError(f"{image.path} has no georeference; expected {CRS}; fetch the file again")
    return replace(scene, target=partial(_buildings, scene))


def _usable(rgba: np.ndarray, path: Path) -> np.ndarray:
    return np.asarray(rgba[:3] * (rgba[3] > 0))


def _buildings(month: Scene, window: Window) -> np.ndarray:
    image, label = month.files
    assert month.transform
    outlines = _footprints(label, month.crs)
    target = draw_polygons(outlines, [1] * len(outlines), window, label, month.transform)
    target[read_bands(image, window, 4, (month.height, month.width))[3] == 0] = IGNORE
    return target


def _footprints(path: Path, crs: str | None) -> list[object]:
    """Polygons in the mosaic's reference system, whichever system the file has."""
    import geopandas as gpd
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyproj.exceptions import ProjError
    from shapely.errors import ShapelyError

    try:
        frame = gpd.read_file(path, columns=[], engine="pyogrio")
        outlines = gpd.GeoSeries(frame.geometry if "geometry" in frame else [], crs=frame.crs)
        outlines = outlines[~(outlines.isna() | outlines.is_empty)]
        return list(outlines.to_crs(crs)) if len(outlines) else []
    except (DataSourceError, DataLayerError, ShapelyError, ProjError, ValueError) as error:
        raise EosfmError(
            f"{path} cannot be read as GeoJSON ({str(error)[:120]}); fetch the file again"
        ) from None


def archives() -> tuple[Archive, ...]:
    """The labelled areas, from the bucket's public address: torchgeo wants Amazon's client."""
    from torchgeo.datasets import SpaceNet7

    name, md5 = SpaceNet7.tarballs["train"][0][0], SpaceNet7.md5s["train"][0][0]
    bucket = "https://spacenet-dataset.s3.amazonaws.com/spacenet"
    return (Archive(f"{bucket}/{SpaceNet7.dataset_id}/tarballs/{name}", name, f"md5:{md5}"),)


def describe(
    name: str,
    title: str,
    kind: str,
    classes: tuple[str, ...],
    reader: Callable[[Path], Iterable[Scene]],
) -> Dataset:
    """A dataset of these files."""
    return Dataset(
        name=name,
        title=title,
        kind=kind,
        bands=BANDS,
        units=("dn8",) * 3,
        dtype="uint8",
        classes=classes,
        gsd=4.0,
        ignore_index=IGNORE,
        nodata=0,
        split_rule="published lists of 30, 15 and 14 of the labelled areas (Hafner et al. 2023, as "
        "in PANGAEA); the official test areas have no public labels",
        source=Source(
            homepage="https://spacenet.ai/sn7-challenge/",
            licence="CC BY-SA 4.0",
            commercial=True,
            citation="Van Etten, Hogan, Martinez-Manso, Shermeyer, Weir, Lewis: The Multi-Temporal "
            "Urban Development SpaceNet Dataset, CVPR 2021, arXiv 2102.04420",
            size_gb=9.3,
            archives=archives,
        ),
        reader=reader,
    )
