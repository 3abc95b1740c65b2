"""Holding scenes out by the hash of a name: the same on every machine and in every copy."""

import hashlib

from eosfm.core.splits import Split


def rank(name: str) -> float:
    """A number from 0 to 1, evenly spread over names, that depends on the name alone.

    A scene whose rank is below some share is held out. Each is judged by its own name, so a
    partial copy splits as the whole does.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_by_name(name: str, validate: float, test: bool) -> Split:
    """The split where only training and test scenes are published.

    Args:
        name: Of the unit that is held out as a whole, with the dataset's in front of it.
        validate: Share of the training units that validate.
        test: Whether the unit is published for testing.
    """
    if test:
        return "test"
    return "val" if rank(name) < validate else "train"
