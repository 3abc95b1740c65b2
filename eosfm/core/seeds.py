"""Seeds that depend on what they are for, so that adding an item does not change another."""

import hashlib


def derive_seed(*parts: int | str) -> int:
    """A 32-bit seed from (params.seed, stage, item, ...); the same on every machine."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")
