"""Compare a copy's scene counts with those expected: a lost file means a lost scene."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.fetching.trust import TRUSTED
from eosfm.datasets.native.spec import Dataset

Counts = Mapping[Split, int]


def count_scenes(dataset: Dataset, root: Path) -> dict[Split, int]:
    """Read all scenes' descriptions once and count them by split.

    Raises:
        EosfmError: There is no scene, a scene occurs twice, or there is none to train on.
    """
    counts: Counter[Split] = Counter()
    seen: set[str] = set()
    for scene in tqdm(dataset.scenes(root), desc="scenes", unit="scene", leave=False, disable=None):
        if scene.id in seen:
            raise EosfmError(
                f"{dataset.name}: scene {scene.id} occurs twice below {root}; expected each once; "
                "remove the second, or let the reader give other images other ids"
            )
        seen.add(scene.id)
        counts[scene.split] += 1
    if not counts["train"]:
        raise EosfmError(
            f"{dataset.name}: {root} loads {len(seen)} labelled scenes, none for training; "
            f"expected {dataset.title} in its published layout; "
            f"set datasets.{dataset.name}.root to such a copy"
        )
    return {split: counts[split] for split in SPLITS}


def check_counts(
    dataset: Dataset, root: Path, counts: Counts, trusted: Path = TRUSTED, keep: bool = True
) -> None:
    """Make sure that a copy is complete, by published counts or else by those of the first copy.

    The counts of a copy that has grown replace those of the first.

    Args:
        dataset: The dataset; its name is that of the entry in params.
        root: The copy.
        counts: Scenes of each split.
        trusted: Folder of counts trusted on first use, which Git tracks.
        keep: Whether those of the first copy, or of one that has grown, are written there.

    Raises:
        EosfmError: It has other numbers of scenes.
    """
    if not dataset.published:
        _check_first(dataset, root, counts, trusted / f"{dataset.name}.scenes", keep)
        return
    for part, expected in dataset.below(root).published.items():
        splits = part.split()
        if (found := sum(counts[split] for split in SPLITS if split in splits)) != expected:
            raise _other(dataset, root, f"{found} scenes of {part}", f"{expected}, as published")


def _check_first(dataset: Dataset, root: Path, counts: Counts, path: Path, keep: bool) -> None:
    line = " ".join(f"{split} {counts[split]}" for split in SPLITS)
    first = path.read_text().strip()[:120] if path.exists() else line
    grown = _has_grown(first, counts)
    if grown and keep:
        print(f"{dataset.name}: {root} holds scenes {line}; the copy before had {first}")
    if keep and (grown or not path.exists()):
        with atomic(path) as beside:
            beside.write_text(f"{line}\n")
    elif first != line and not grown:
        expected = (
            f"{first}, as in the first copy (delete {path} if that one lacked some, or the reader "
            "splits otherwise now)"
        )
        raise _other(dataset, root, f"scenes {line}", expected)


def _has_grown(first: str, counts: Counts) -> bool:
    """Whether a copy holds all that the first one did, and more."""
    words = first.split()
    if words[::2] != list(SPLITS) or not all(number.isdigit() for number in words[1::2]):
        return False
    more = [counts[split] - int(had) for split, had in zip(SPLITS, words[1::2], strict=True)]
    return min(more) >= 0 < max(more)


def _other(dataset: Dataset, root: Path, found: str, expected: str) -> EosfmError:
    return EosfmError(
        f"{dataset.name}: {root} holds {found}; expected {expected}; fetch what is missing, or set "
        f"datasets.{dataset.name}.scenes=any to go on with a part"
    )
