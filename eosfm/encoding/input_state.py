"""What weights were fed with, as one more tensor of a backbone's state dict.

A state dict fits a backbone of the same shapes, whatever its bands: without this, weights learned
on red, green, blue would be loaded without a word into a backbone that takes blue, green, red.
"""

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError, brief
from eosfm.encoding.input import InputFormat, InputSpec, warn


def pack_input(given: InputFormat, inputs: Sequence[InputSpec]) -> Tensor:
    """What arrives and what each specialist takes of it: bytes of JSON, (N,) uint8.

    A tensor, since tools that read or average state dicts take nothing else.
    """
    fed = [[spec.name, list(spec.channel_map)] for spec in inputs]
    text = json.dumps({"input": given.as_dict(), "fed": fed})
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def check_input(packed: Tensor, given: InputFormat, inputs: Sequence[InputSpec]) -> None:
    """Compare what weights were fed with and what their new backbone takes.

    Other statistics bring a warning alone: another scene may have its own.

    Raises:
        EosfmError: Channels, scaling or specialists differ, or the bytes are not
            :func:`pack_input`'s.
    """
    try:
        # What averages state dicts, or halves their precision, leaves numbers of another type.
        facts = json.loads(bytes(map(round, packed.tolist())))
        saved = InputFormat.from_dict(facts["input"])
        fed = [(name, tuple(channels)) for name, channels in facts["fed"]]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise EosfmError(
            f"the state dict holds {brief(packed)} where it describes its input; save it again"
        ) from None
    for what, theirs, ours in (
        ("channels", saved.bands or saved.in_chans, given.bands or given.in_chans),
        ("standardize", saved.standardize, given.standardize),
    ):
        if theirs != ours:
            raise EosfmError(
                f"the state dict is of a backbone with {what} {brief(theirs)}, this one has "
                f"{brief(ours)}; build it as that one was built"
            )
    own = [(spec.name, tuple(spec.channel_map)) for spec in inputs]
    if fed != own:
        others = sorted({name for name, _ in set(fed) ^ set(own)}) or ["specialists"]
        more = " and more" if len(others) > 5 else ""
        raise EosfmError(
            f"the state dict is of a backbone that feeds {', '.join(others[:5])}{more} in another "
            "way or order, or not at all; build it as that one was built"
        )
    if (saved.mean, saved.std) != (given.mean, given.std):
        warn("the state dict is of a backbone with another mean and std than this one has")
