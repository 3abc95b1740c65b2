"""Holding scenes out by the hash of a name: the same on every machine and in every copy."""

import hashlib
from unicodedata import normalize

from eosfm.core.splits import Split


def rank(name: str) -> float:
    """A number from 0 to 1, evenly spread over names, that depends on the name alone.

    A scene whose rank is below some share is held out. Only its own name counts, so a partial copy
    splits as the whole does. Names are normalised, since macOS decomposes umlauts.
    """
    digest = hashlib.sha256(normalize("NFC", name).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def hold_out(name: str, validate: float, test: float) -> Split:
    """The split of a scene where a dataset has none of its own.

    Args:
        name: What is held out as a whole, the dataset's name in front of it.
        validate: Share that validates.
        test: Share that tests.
    """
    place = rank(name)
    return "test" if place < test else "val" if place < test + validate else "train"


def divide(dataset: str, test: str, validate: float, part: str, name: str) -> Split:
    """The split of a scene where one published part tests, and another trains.

    Args:
        dataset: The dataset's name.
        test: Name of the published test part.
        validate: Share of the other part that validates.
        part: The scene's part.
        name: What is held out as a whole.
    """
    return "test" if part == test else hold_out(f"{dataset}/{name}", validate, test=0)
