"""Reads a scene's dates from STAC items: the assets by band, and the day of acquisition.

Items and item collections of STAC 1.0 (``eo:bands``, ``raster:bands``) and 1.1 (``bands``) are
read, from a file or a URL; fields that a prediction does not need are ignored.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from eosfm.core.bands import band_name, find, same
from eosfm.core.errors import EosfmError, brief
from eosfm.core.files import read_json
from eosfm.prediction.names import numbered_by
from eosfm.prediction.products import AS_IT_IS, SHIFTED, WITH_1000

SUFFIXES = (".json", ".geojson")
SUBTRACTED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
OF_ALL = ("nodata", "raster:scale", "raster:offset")
"""Fields that an asset may declare once for all its bands."""
SHOWN = {"thumbnail", "overview", "visual", "metadata"}
"""Roles of assets without measurements: previews and metadata."""
OTHERS = {"pan", "lwir", "lwir11", "lwir12", "yellow", "green05"}
"""Common names of bands without a name here, whatever their number."""
SECONDS = 30
LARGEST = 2**26
"""Most bytes of a server's answer, enough for thousands of items."""
REMOTE = ("http://", "https://", "s3://", "gs://")
"""Schemes of assets; a local item's may be local files too."""


@dataclass(frozen=True)
class Asset:
    """A file of an item.

    Attributes:
        href: A path or a URL.
        bands: Band of each channel; None where unknown.
        scaling: Factor and offset of each channel; None if the item tells none.
        nodata: Nodata value of all channels; None if they differ or have none.
    """

    href: str
    bands: tuple[str | None, ...]
    scaling: tuple[tuple[float, float], ...] | None
    nodata: float | None


@dataclass(frozen=True)
class Item:
    """One date of a scene.

    Attributes:
        path: Path or URL of its file, and its id.
        date: ISO date; None if it has none.
        assets: The assets with known bands.
    """

    path: str
    date: str | None
    assets: tuple[Asset, ...]

    def __str__(self) -> str:
        """See ``path``."""
        return self.path

    def wanted(self, bands: Sequence[str]) -> list[Asset]:
        """The assets with some bands, each once; the first one if several have a band.

        Raises:
            EosfmError: No asset has a band.
        """
        chosen: dict[Asset, None] = {}
        missing = []
        for band in bands:
            having = (a for a in self.assets if find(band, [b for b in a.bands if b]) is not None)
            if (asset := next(having, None)) is None:
                missing.append(band)
            else:
                chosen[asset] = None
        if missing:
            there = dict.fromkeys(b for a in self.assets for b in a.bands if b)
            raise EosfmError(
                f"{self.path} has assets of {', '.join(there) or 'no known band'}; expected "
                f"{', '.join(bands)} (missing: {', '.join(missing)}); take other items"
            )
        return list(chosen)


def is_stac(path: str) -> bool:
    """Whether a path or a URL has a suffix of STAC files."""
    return path.partition("?")[0].lower().endswith(SUFFIXES)


def read_items(path: str) -> list[Item]:
    """The items of a file or a URL: one, or those of a collection, sorted by date.

    Raises:
        EosfmError: It cannot be read, is no STAC, has no item, or one of several has no date.
    """
    content = _fetch(path) if path.startswith(("http://", "https://")) else read_json(
        Path(path), "give a STAC item or item collection"
    )  # fmt: skip
    kind = content.get("type") if isinstance(content, dict) else None
    if kind not in ("Feature", "FeatureCollection"):
        raise EosfmError(
            f"{path} is of type {brief(kind)}; expected a STAC item (Feature) or a collection of "
            "items (FeatureCollection)"
        )
    try:
        features = content["features"] if kind == "FeatureCollection" else [content]
        items = [_item(feature, path) for feature in features]
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise EosfmError(
            f"{path} is no STAC item ({type(error).__name__}: {str(error)[:120]}); expected assets "
            "with href and eo:bands"
        ) from None
    if not items:
        raise EosfmError(f"{path} holds no item; search for another place or time")
    undated = [str(item) for item in items if not item.date]
    if undated and len(items) > 1:
        raise EosfmError(
            f"{undated[0][:200]} has no datetime, so the order of the "
            f"{len(items)} items is not known; take items with one"
        )
    return sorted(items, key=lambda item: item.date or "")


def _fetch(url: str) -> Any:
    import requests

    content = bytearray()
    try:
        with requests.get(url, timeout=SECONDS, stream=True) as answer:
            answer.raise_for_status()
            for part in answer.iter_content(2**16):
                content += part
                if len(content) > LARGEST:
                    raise EosfmError(
                        f"{url} has more than {LARGEST} bytes; expected a STAC item; take another"
                    )
        return json.loads(content)
    except (requests.RequestException, ValueError, RecursionError) as error:
        raise EosfmError(f"{url} cannot be read ({error}); expected a STAC item") from None


def _item(feature: dict[str, Any], path: str) -> Item:
    seen = feature["properties"]
    date = seen.get("datetime") or seen.get("start_datetime")
    if not isinstance(date, str | None):
        raise TypeError(f"a date of {brief(date)}")
    shift = _shift(seen)
    assets = [
        _asset(key, asset, path, shift)
        for key, asset in feature["assets"].items()
        if not SHOWN & set(asset.get("roles") or ())
    ]
    known = tuple(asset for asset in assets if any(asset.bands))
    return Item(f"{path} ({feature.get('id', 'no id')})", date[:10] if date else None, known)


def _shift(seen: dict[str, Any]) -> bool | None:
    """Whether Sentinel-2's pixels still include the 1,000 added from baseline 04.00 on.

    Earth Search declares the offset, and in another field that it is already subtracted; others
    give only the baseline. None if neither is given.
    """
    if any(seen.get(key) is True for key in SUBTRACTED):
        return False
    baseline = seen.get("s2:processing_baseline", "")
    if isinstance(baseline, float):
        baseline = f"{baseline:05.2f}"
    baseline = str(baseline)
    if re.fullmatch(r"\d\d\.\d\d", baseline) and baseline.replace(".", "") >= SHIFTED:
        return True
    return None


def _asset(key: str, asset: dict[str, Any], path: str, shift: bool | None) -> Asset:
    bands = asset.get("bands") or asset.get("eo:bands") or [{}]
    rasters = asset.get("raster:bands") or [{}] * len(bands)
    if len(rasters) != len(bands):  # they cannot be matched
        bands = [{}] * len(rasters)
    file = asset["href"].partition("?")[0].rpartition("/")[2]
    names = [_name(band, key if len(bands) == 1 else "", file) for band in bands]
    whole = {name: asset[name] for name in OF_ALL if name in asset}
    facts = [{**whole, **band, **raster} for band, raster in zip(bands, rasters, strict=True)]
    scaling = [(_number(fact, "scale", 1.0), _number(fact, "offset", 0.0)) for fact in facts]
    if shift is False:
        scaling = [(scale, 0.0) for scale, _ in scaling]
    elif shift and set(scaling) == {AS_IT_IS}:
        scaling = [WITH_1000 for _ in scaling]
    nodata = {_number(fact, "nodata", None) for fact in facts}
    return Asset(
        _absolute(asset["href"], path), tuple(names),
        None if shift is None and set(scaling) == {AS_IT_IS} else tuple(scaling),
        nodata.pop() if len(nodata) == 1 else None,
    )  # fmt: skip


def _name(band: dict[str, Any], key: str, file: str) -> str | None:
    """The band that an item describes: its name, unless its common name is another band.

    Without a common name, its name or else the asset's key is read in the numbering of the sensor
    that the file name tells: ``B4`` is red for Sentinel-2, and near infrared for Landsat 7.
    """
    told = band.get("eo:common_name") or band.get("common_name")
    if told in OTHERS:
        return None
    common = band_name(told)
    if common is None:
        return numbered_by(file, band.get("name")) or numbered_by(file, key)
    name = band_name(band.get("name"))
    return name if name and same(name, common) else common


def _number(fact: dict[str, Any], key: str, default: Any) -> Any:
    value = fact.get(key, fact.get(f"raster:{key}"))
    return default if value is None else float(value)  # nodata may be the text "nan"


def _absolute(href: str, path: str) -> str:
    """Resolve an asset's path or URL against its item's.

    Raises:
        EosfmError: It is neither, or a remote item refers to a local file.
    """
    base = path if path.startswith(REMOTE) else None
    found = urljoin(base, href) if base else href.removeprefix("file://")
    if found.startswith(REMOTE):
        return found
    if base or "://" in found or found.startswith("/vsi"):
        raise EosfmError(
            f"{path} has an asset at {href[:120]}; expected a URL ({', '.join(REMOTE)}) or, of an "
            "item in a file, a path; take another item"
        )
    return str(Path(path).parent / found)
