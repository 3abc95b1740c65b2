"""Holding scenes out by the hash of a name: the same on every machine and in every copy."""

import hashlib


def rank(name: str) -> float:
    """A number from 0 to 1, evenly spread over names, that depends on the name alone.

    A scene whose rank is below some share is held out. Each is judged by its own name, so a
    partial copy splits as the whole does.
    """
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
