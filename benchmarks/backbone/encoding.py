"""The forward pass, all specialists and five of them."""

import torch
from common import Json, Published, alternate, ensemble, five_of, show

from eosfm.model import EosFM


def encoding(rounds: int = 7, batch: int = 8, json_: Json = None) -> None:
    """All 24 specialists, and 5 of them, on 13 bands; published rules on both sides."""
    members = ensemble()
    published = Published(members)
    every = EosFM.from_specialists(members, in_chans=13, fusion="concat", normalize="none").eval()
    small = five_of(members)
    rows = []
    for size in (64, 128):
        x = torch.randn(batch if size == 64 else batch // 2, 13, size, size)
        for ours, theirs in zip(every.encode(x), published.encode(x), strict=True):
            assert all((a - b).norm() <= 1e-5 * b.norm() for a, b in zip(ours, theirs, strict=True))
        seconds = alternate(
            {
                "published": lambda x=x: published(x),
                "all": lambda x=x: every(x),
                "five": lambda x=x: small(x),
            },
            rounds,
        )
        rows += [
            {
                "measure": f"{name}, {size} px, times faster",
                "ratio": seconds["published"] / seconds[key],
                "published": seconds["published"],
                "ours": seconds[key],
            }
            for name, key in (("all 24", "all"), ("5 of 24", "five"))
        ]
    show("Encoding", rows, json_)
