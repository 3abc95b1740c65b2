"""Band adaptation: which channels of an input each specialist is fed with.

Every rule comes down to a channel map: per channel of the specialist the index of an input channel,
or None for a channel that stays at its mean (zero once standardised).

``counted`` are the published rules, keyed by channel counts alone. ``named`` goes by band names and
physical sense; its rules are tried in the order of :data:`NAMED`, and the first that applies wins.
"""

from collections.abc import Callable, Sequence

from eosfm.core.bands import S2_BANDS, band, check_bands, find
from eosfm.core.errors import EosfmError
from eosfm.encoding.input import ChannelMap, InputSpec, warn
from eosfm.nn.specialist import Specialist

Bands = tuple[str, ...]
Rule = Callable[[Bands, Bands], ChannelMap | None]
Rules = tuple[tuple[str, ChannelMap], ...]

CLOSE_NM = 50.0
"""Within this distance another band measures nearly the same (B8A for nir, B05 for red)."""

_REPETITIONS: dict[tuple[int, int], Rules] = {
    (required, available): (("repetition", tuple(i % available for i in range(required))),)
    for available in (2, 3, 4)
    for required in (12, 13, 14)
}

COUNTED: dict[tuple[int, int], Rules] = {
    (3, 12): (("rgb", (3, 2, 1)),),
    (3, 13): (("rgb", (3, 2, 1)), ("false colour", (7, 3, 2))),
    (3, 14): (("rgb", (5, 4, 3)),),
    (12, 14): (("sentinel-2", tuple(range(2, 14))),),
    (2, 14): (("sentinel-1", (0, 1)),),
    (3, 2): (("sar composite", (0, 1, 1)),),
    (3, 4): (("false colour", (3, 0, 1)), ("rgb", (0, 1, 2))),
    (3, 5): (("rgb", (0, 1, 2)), ("sar composite", (3, 4, 4))),
} | _REPETITIONS
"""(channels required, channels available) -> (rule, channel map), each one pyramid, in order."""

S2_L2A = tuple(name for name in S2_BANDS if name != "B10")

CONVENTIONS: dict[int, Bands] = {
    2: ("vv", "vh"),
    3: ("red", "green", "blue"),
    4: ("red", "green", "blue", "nir"),
    5: ("red", "green", "blue", "vv", "vh"),
    12: S2_L2A,
    13: S2_BANDS,
    14: ("vv", "vh", *S2_L2A),
    15: ("vv", "vh", *S2_BANDS),
}
"""Bands that the counted rules take a channel count to mean."""

STACKED: dict[int, Bands] = {6: ("red", "green", "blue") * 2}
"""Bands of published specialists that see two dates at once, by their channel count."""


def plan(
    specialists: Sequence[Specialist],
    bands: Sequence[str] | None,
    in_chans: int,
    adaptation: str,
) -> tuple[list[InputSpec], dict[str, str]]:
    """Decide what every specialist is fed with.

    Args:
        specialists: The ensemble.
        bands: Names of the input's channels, if known.
        in_chans: Channels of the input.
        adaptation: ``named`` or ``counted``.

    Returns:
        The adapted inputs (without ``channels``), in artifact order, and why others are skipped.

    Raises:
        EosfmError: Names and channels differ, ``named`` has no names, or nothing can be fed.
    """
    if bands is not None and len(check_bands(bands)) != in_chans:
        raise EosfmError(f"{len(bands)} band names for {in_chans} channels; name each channel once")
    if adaptation == "counted":
        inputs, skipped = _plan_counted(specialists, bands, in_chans)
    else:
        names = bands or convention(in_chans, "the input")
        inputs, skipped = _plan_named(specialists, tuple(names))
    if not inputs:
        raise EosfmError(
            f"no specialist can be fed with {in_chans} channels under adaptation={adaptation!r}: "
            + "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        )
    if skipped:
        reasons = (f"{name} ({reason})" for name, reason in skipped.items())
        warn("skipped specialists: " + "; ".join(reasons))
    return inputs, skipped


def convention(in_chans: int, what: str) -> Bands:
    """Band names by channel count, with a warning that they are assumed.

    Raises:
        EosfmError: No convention has that many channels.
    """
    if in_chans not in CONVENTIONS:
        raise EosfmError(f"no bands are known for {what} with {in_chans} channels; name its bands")
    names = CONVENTIONS[in_chans]
    warn(f"bands of {what} assumed from its {in_chans} channels: {', '.join(names)}")
    return names


def _plan_counted(
    specialists: Sequence[Specialist], bands: Sequence[str] | None, in_chans: int
) -> tuple[list[InputSpec], dict[str, str]]:
    names = tuple(bands) if bands is not None else tuple(f"channel {i}" for i in range(in_chans))
    inputs, skipped = [], {}
    for index, specialist in enumerate(specialists):
        same = (("as it is", tuple(range(in_chans))),) if specialist.in_chans == in_chans else ()
        rules = same or COUNTED.get((specialist.in_chans, in_chans), ())
        inputs += [_spec(specialist, index, rule, mapped, names, "") for rule, mapped in rules]
        if not rules:
            skipped[specialist.name] = f"no counted rule ({specialist.in_chans}, {in_chans})"
    return inputs, skipped


def _plan_named(
    specialists: Sequence[Specialist], available: Bands
) -> tuple[list[InputSpec], dict[str, str]]:
    inputs, skipped = [], {}
    wanted = {
        specialist.name: specialist.bands
        or STACKED.get(specialist.in_chans)
        or convention(specialist.in_chans, specialist.name)
        for specialist in specialists
    }
    for index, specialist in enumerate(specialists):
        bands = wanted[specialist.name]
        for rule, apply in NAMED.items():
            if (mapped := apply(bands, available)) is not None:
                parts = (
                    _note(bands, available, mapped),
                    _stacked(specialist),
                    _assumed(specialist),
                )
                note = "; ".join(filter(None, parts))
                inputs.append(_spec(specialist, index, rule, mapped, available, note))
                break
        else:
            skipped[specialist.name] = f"needs {_kinds(bands)}, the input has {_kinds(available)}"
    if not inputs:  # nothing makes physical sense: let all of them look at the structure
        for index, specialist in enumerate(specialists):
            mapped = tuple(i % len(available) for i in range(specialist.in_chans))
            note = f"no physical match: {skipped.pop(specialist.name)}"
            inputs.append(_spec(specialist, index, "repetition", mapped, available, note))
    return inputs, skipped


def _spec(
    specialist: Specialist, index: int, rule: str, mapped: ChannelMap, names: Bands, note: str
) -> InputSpec:
    sources = tuple("mean" if channel is None else names[channel] for channel in mapped)
    return InputSpec(specialist.name, (), index, rule, sources, mapped, note)


def _kind(name: str) -> str:
    """What a band measures: optical, radar or height."""
    if band(name).wavelength is not None:
        return "optical"
    return "radar" if band(name).common in ("vv", "vh", "sar") else band(name).common


def _kinds(names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(_kind(name) for name in names))


def _channel(name: str, available: Bands) -> int | None:
    found = find(name, available)
    return None if found is None else available.index(found)


def _nearest(name: str, available: Bands) -> int | None:
    """The optical channel nearest in wavelength, the band itself first."""
    exact = _channel(name, available)
    optical = [channel for channel, other in enumerate(available) if _kind(other) == "optical"]
    if exact is not None or not optical or _kind(name) != "optical":
        return exact
    return min(optical, key=lambda channel: _distance(name, available[channel]))


def _distance(first: str, second: str) -> float:
    """Nanometres between two optical bands."""
    one, other = band(first).wavelength, band(second).wavelength
    assert one is not None and other is not None
    return abs(one - other)


def _complete(channels: Sequence[int | None]) -> ChannelMap | None:
    return None if None in channels else tuple(channels)


def _exact(bands: Bands, available: Bands) -> ChannelMap | None:
    """The specialist's own bands, under whichever name (B04 is red)."""
    return _complete([_channel(name, available) for name in bands])


def _close(bands: Bands, available: Bands) -> ChannelMap | None:
    """Bands of nearly the same wavelength."""
    nearest = [_nearest(name, available) for name in bands]
    far = any(
        channel is None
        or (_kind(name) == "optical" and _channel(name, available) is None
            and _distance(name, available[channel]) > CLOSE_NM)
        for name, channel in zip(bands, nearest, strict=True)
    )  # fmt: skip
    return None if far else _complete(nearest)


def _composite(*composite: str) -> Rule:
    """A three-band optical specialist looks at another three-band composite in its usual order."""

    def apply(bands: Bands, available: Bands) -> ChannelMap | None:
        if len(bands) != 3 or _kinds(bands) != "optical":
            return None
        return _close(composite, available)

    return apply


def _sar_composite(bands: Bands, available: Bands) -> ChannelMap | None:
    """A radar specialist gets VV, VH, VH, ..., or the one polarisation that there is."""
    vv, vh = _channel("vv", available), _channel("vh", available)
    if _kinds(bands) != "radar" or (vv is None and vh is None):
        return None
    first, other = (vv if vv is not None else vh), (vh if vh is not None else vv)
    return (first, *[other] * (len(bands) - 1))


def _nearest_wavelength(bands: Bands, available: Bands) -> ChannelMap | None:
    """Missing optical bands come from the nearest wavelength, however far."""
    return _complete([_nearest(name, available) for name in bands])


def _missing_modality(bands: Bands, available: Bands) -> ChannelMap | None:
    """A multi-modal specialist gets the modality that there is; the other stays at its mean."""
    nearest = tuple(_nearest(name, available) for name in bands)
    return None if all(channel is None for channel in nearest) else nearest


def _repetition(bands: Bands, available: Bands) -> ChannelMap | None:
    """The only band of the specialist's modality in every channel."""
    same = [channel for channel, name in enumerate(available) if _kind(name) == _kinds(bands)]
    return tuple(same * len(bands)) if len(same) == 1 else None


NAMED: dict[str, Rule] = {
    "exact": _exact,
    "close wavelength": _close,
    "rgb": _composite("red", "green", "blue"),
    "false colour": _composite("nir", "red", "green"),
    "sar composite": _sar_composite,
    "nearest wavelength": _nearest_wavelength,
    "missing modality": _missing_modality,
    "repetition": _repetition,
}
"""Rule -> (specialist's bands, input's bands) to a channel map, or None where it does not apply."""


def _note(bands: Bands, available: Bands, mapped: ChannelMap) -> str:
    """What differs from the specialist's own bands, by the channel that it gets instead."""
    stand_ins: dict[int | None, list[str]] = {}
    for name, channel in zip(bands, mapped, strict=True):
        if channel is None or band(name).common != band(available[channel]).common:
            names = stand_ins.setdefault(channel, [])
            names += [name] if name not in names else []
    notes = []
    for channel, names in stand_ins.items():
        wanted = " ".join(names)
        if channel is None:
            notes.append(f"{wanted} at the mean")
        elif {_kind(name) for name in (*names, available[channel])} == {"optical"}:
            off = [_distance(name, available[channel]) for name in names]
            apart = f"{min(off):.0f}-{max(off):.0f}" if len(off) > 1 else f"{off[0]:.0f}"
            notes.append(f"{wanted} from {available[channel]} ({apart} nm off)")
        else:
            notes.append(f"{wanted} from {available[channel]}")
    return ", ".join(notes)


def _stacked(specialist: Specialist) -> str:
    published = specialist.bands is None and specialist.in_chans in STACKED
    dates = specialist.facts.get("dates", 2 if published else 1)
    return f"the one date of the input stands for its {dates}" if dates > 1 else ""


def _assumed(specialist: Specialist) -> str:
    return "" if specialist.bands else "its bands are assumed from its channel count"
