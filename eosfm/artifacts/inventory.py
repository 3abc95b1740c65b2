"""What is in an ensemble artifact: read from the file alone, no model is built."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosfm.artifacts.licences import TrainingData, training_data
from eosfm.core.errors import EosfmError, shown
from eosfm.encoding.artifact import STATE_KEY, Entry, parse_entry, read_entries
from eosfm.nn.specialist import Specialist

NOT_PROVENANCE = ("dataset", "source", "task", "metrics", "start", "publication")
"""Facts of a specialist kept out of ``provenance``: they have attributes of their own."""

SOURCES = {"simulated": "simulated", "archive": "published", "root": "own copy"}
"""Origin of the training data in words, by the ``source`` of its
:class:`~eosfm.tiles.store.TileStore`."""


@dataclass(frozen=True)
class Member:
    """One specialist.

    Attributes:
        name: Unique within the artifact.
        dataset: What it was trained on; None, as source, kind, metric and score, where the file
            does not say.
        source: Whether that was ``simulated``, ``published`` files of it, or a user's ``own copy``.
        weights: Where the weights themselves come from, and their publication, of an encoder that
            others trained; empty for one of the pipeline's.
        start: The published weights that its training began with; None where it tells of none.
        start_licence: Their licence; None where it is not told.
        kind: Task kind that it was trained for.
        backbone: timm model name.
        in_chans: Channels of its input.
        bands: One band name per channel, or None.
        parameters: Numbers in its weights, buffers included.
        metric: The headline metric of its kind.
        score: Its value on validation tiles.
        sha256: Of its tensors alone (see :func:`content_hash`).
        provenance: Further facts of the file, as they stand there.
    """

    name: str
    dataset: str | None
    source: str | None
    weights: tuple[str, ...]
    start: str | None
    start_licence: str | None
    kind: str | None
    backbone: str
    in_chans: int
    bands: tuple[str, ...] | None
    parameters: int
    metric: str | None
    score: float | None
    sha256: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Inventory:
    """An artifact.

    Attributes:
        path: The file.
        bytes: Its size.
        parameters: Of all specialists together.
        specialists: In artifact order.
        datasets: What they were trained on, each once.
        fusion: Method, input bands and specialists in use of a saved backbone; None of an artifact
            that holds specialists alone.
    """

    path: str
    bytes: int
    parameters: int
    specialists: tuple[Member, ...]
    datasets: tuple[TrainingData, ...]
    fusion: Mapping[str, Any] | None


def take_inventory(path: Path | str) -> Inventory:
    """Read an artifact and list its contents, without checking that weights fit.

    Raises:
        EosfmError: The file is missing, damaged or no artifact.
    """
    return list_entries(read_entries(path, mapped=True), path)


def list_entries(entries: Sequence[Entry], path: Path | str) -> Inventory:
    """Tell what is in the entries of an artifact, or in those that a file holds among others.

    Raises:
        EosfmError: One is damaged.
    """
    specialists = [parse_entry(entry, path, index) for index, entry in enumerate(entries)]
    with ThreadPoolExecutor() as pool:  # hashing frees the GIL
        members = tuple(pool.map(_member, specialists))
    readers = {m.dataset: _text(m.provenance.get("reader")) for m in members if m.dataset}
    return Inventory(
        path=str(path),
        bytes=Path(path).stat().st_size,
        parameters=sum(member.parameters for member in members),
        specialists=members,
        datasets=tuple(training_data(*one) for one in readers.items()),
        fusion=_fusion(entries[0][2].get(STATE_KEY), path),
    )


def content_hash(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors: keys in order, each with its type, shape and values.

    It depends on no name and no file: merging, pruning and renaming keep it.
    """
    digest = hashlib.sha256()
    for key in sorted(weights):
        value = weights[key].detach().cpu().contiguous()
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def shorten_bands(bands: Sequence[str] | None, in_chans: int) -> str:
    """Bands in a few words: a long list by its ends, an unknown one by its channels."""
    if bands is None:
        return f"{in_chans} channels"
    return " ".join(bands) if len(bands) <= 4 else f"{bands[0]} ... {bands[-1]} ({in_chans})"


def _member(one: Specialist) -> Member:
    metrics = one.facts.get("metrics")
    metrics = metrics if isinstance(metrics, Mapping) else {}
    start = one.facts.get("start")
    start = start if isinstance(start, Mapping) else {}
    metric = _text(metrics.get("metric"))
    score = metrics.get(metric)
    said = _text(one.facts.get("source"))
    others = (said, _text(one.facts.get("publication"))) if said not in SOURCES else ()
    return Member(
        name=one.name,
        dataset=_text(one.facts.get("dataset")),
        source=SOURCES.get(said or ""),
        weights=tuple(text for text in others if text),
        start=_text(start.get("source")),
        start_licence=_text(start.get("licence")),
        kind=_text(one.facts.get("task")),
        backbone=one.backbone,
        in_chans=one.in_chans,
        bands=one.bands,
        parameters=sum(tensor.numel() for tensor in one.state_dict.values()),
        metric=metric,
        score=float(score) if isinstance(score, (int, float)) else None,
        sha256=content_hash(one.state_dict),
        provenance={k: v for k, v in one.facts.items() if k not in NOT_PROVENANCE}
        | {"validation": dict(metrics)},
    )


def _text(value: Any) -> str | None:
    """A fact that is a word; other code may keep anything under its name."""
    return value if isinstance(value, str) else None


def _word(value: Any) -> str:
    """A word of an untrusted file, with terminal control characters escaped."""
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} for a word")
    return "".join(map(shown, value))


def _fusion(state: Mapping[str, Any] | None, path: Path | str) -> dict[str, Any] | None:
    if state is None:
        return None
    try:
        fuser, given = state["fuser"], state["input"]
        inputs, kept = fuser["inputs"], fuser["kept"]
        used = inputs if kept is None else [inputs[index] for index in kept]
        return {
            "method": _word(fuser["fusion"]),
            "bands": given["bands"] and list(map(_word, given["bands"])),
            "in_chans": int(given["in_chans"]),
            "standardize": _word(given["standardize"]),
            "specialists": list(dict.fromkeys(_word(spec["name"]) for spec in used)),
        }
    except (LookupError, TypeError, ValueError) as error:
        raise EosfmError(
            f"{path} has a saved fusion without its settings ({type(error).__name__}: {error}); "
            "save the backbone again"
        ) from None
