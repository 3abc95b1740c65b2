"""What may be wrong with a call of the backbone: one line each, and torch is never asked.

Left to Python and torch is what every library leaves to them: a wrong number of arguments, and the
methods that ``EosFM`` has from ``torch.nn.Module``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import save_artifact
from eosfm.model import EosFM

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested")
RGB = ["red", "green", "blue"]
Levels = list[list[torch.Tensor]]


@dataclass(frozen=True)
class Case:
    """One call that is wrong.

    Attributes:
        name: What is wrong.
        line: What the error says.
        call: Given a backbone of three bands.
    """

    name: str
    line: str
    call: Callable[[EosFM], Any]


def given(change: Callable[[torch.Tensor], Any]) -> Callable[[EosFM], Any]:
    """A call with another input."""
    return lambda backbone: backbone(change(torch.randn(1, 3, 32, 32)))


def fused(change: Callable[[Levels], Any]) -> Callable[[EosFM], Any]:
    """A call with other pyramids."""
    return lambda backbone: backbone.fuse(change(backbone.encode(torch.randn(1, 3, 32, 32))))


def levels(change: Callable[[torch.Tensor], Any]) -> Callable[[EosFM], Any]:
    """A call with other levels of the last pyramid."""
    return fused(lambda pyramids: [*pyramids[:-1], [change(level) for level in pyramids[-1]]])


DENSE = "expected a dense torch.Tensor of float32"
CASES = [
    # Input
    Case("no input", f"input is a NoneType, {DENSE}", given(lambda x: None)),
    Case("an array", f"input is a ndarray, {DENSE}", given(lambda x: x.numpy())),
    Case("sparse", f"input is a torch.sparse_coo, {DENSE}", given(lambda x: x.to_sparse())),
    Case("packed", f"input is a torch._mkldnn, {DENSE}", given(lambda x: x.to_mkldnn())),
    Case(
        "nested",
        f"input is a nested tensor, {DENSE}",
        given(lambda x: torch.nested.nested_tensor([x, x])),
    ),
    Case(
        "without values",
        r"input is on meta, expected cpu; move it with \.to\(\)",
        given(lambda x: x.to("meta")),
    ),
    Case(
        "backbone without values",
        "input is on cpu, expected meta",
        lambda backbone: backbone.to("meta")(torch.randn(1, 3, 32, 32)),
    ),
    Case("complex", "input is torch.complex64, expected", given(lambda x: x.to(torch.complex64))),
    Case("truth values", "input is torch.bool, expected", given(lambda x: x > 0)),
    Case("five dimensions", r"input has shape \(1, 1, 3, 32, 32\)", given(lambda x: x[None])),
    Case("one number", r"input has shape \(\)", given(lambda x: x.sum())),
    Case(
        "half weights",
        "the fusion's weights are torch.float16, expected torch.float32",
        lambda backbone: backbone.half()(torch.randn(1, 3, 32, 32).half()),
    ),
    # Pyramids
    Case("no pyramids", "what is fused is None; expected a list", fused(lambda pyramids: None)),
    Case("a stream", "what is fused is <.*; expected a list", fused(iter)),
    Case("one too few", "1 pyramids given, 2 expected", fused(lambda pyramids: pyramids[:1])),
    Case(
        "one that is needed is missing",
        "pyramid of 'nrg' is None; expected its levels",
        fused(lambda pyramids: [pyramids[0], None]),
    ),
    Case(
        "a level too few",
        r"pyramid of 'nrg' has channels \(8, 12\), expected \(8, 12, 16, 24\)",
        fused(lambda pyramids: [pyramids[0], pyramids[1][:2]]),
    ),
    Case("levels of nothing", f"is a NoneType, {DENSE}", levels(lambda level: None)),
    Case("levels of arrays", f"is a ndarray, {DENSE}", levels(lambda level: level.numpy())),
    Case("levels elsewhere", "on meta, expected cpu", levels(lambda level: level.to("meta"))),
    Case("levels without images", r"\(8, 8, 8\)'; expected float", levels(lambda level: level[0])),
    Case(
        "whole numbers",
        r"torch.int32 \(1, 8, 8, 8\)'; expected float",
        levels(lambda level: level.int()),
    ),
    Case("empty levels", r"\(0, 8, 8, 8\)'; expected float", levels(lambda level: level[:0])),
    Case(
        "levels of more images",
        r"'nrg' has maps of \[\(2, 8, 8\).*, another one of \[\(1, 8, 8\).*; encode both from",
        levels(lambda level: level.expand(2, -1, -1, -1)),
    ),
    Case(
        "levels of another size",
        "has maps of .*; encode both from the same images",
        levels(lambda level: level[..., :1, :1]),
    ),
    # What it is made of
    Case("no encoder", "encoder is None; .*from_artifact", lambda b: EosFM(None, b.fuser)),
    Case("no fuser", "fuser is Linear.*; expected Fuser", lambda b: EosFM(b.encoder, b.norm)),
    Case(
        "no specialists",
        r"specialists is \[\]; expected a list of Specialist",
        lambda backbone: EosFM.from_specialists([], RGB),
    ),
    Case(
        "a file's name for specialists",
        "specialists is 'eosfm.pth'; expected a list of Specialist",
        lambda backbone: EosFM.from_specialists("eosfm.pth", RGB),
    ),
    Case("no name to open", "a path is None; expected", lambda b: EosFM.from_artifact(None, RGB)),
    Case("no name to write", "a path is 3; expected the name of", lambda b: b.save(3)),
    Case("an empty name", r"to be written is '\.'; expected the name", lambda b: b.save("")),
    Case("a name with a zero", r"a path is 'a\\x00b'; expected", lambda b: b.save("a\0b")),
]
HOSTILE = [
    None, True, 3, -1, 10**30, 2.5, float("nan"), 1j, "", "xx", "a\0b", "\ud800", "x" * 200, b"ab",
    [], [None], [[1, 2], [3]], {}, {"a": 1}, {1}, range(3), object(), int, np.float32(1),
    np.zeros((1, 3, 32, 32)), torch.zeros(3), torch.zeros(1, 3, 32, 32),
]  # fmt: skip
OPTIONS = (
    "bands", "in_chans", "adaptation", "standardize", "mean", "std", "units", "freeze", "copy",
    "ablate", "spectral", "fusion", "width_multiplier", "normalize", "projection", "max_encoders",
    "selection", "scale_features", "no_option",
)  # fmt: skip


@pytest.fixture
def pair(mixed):
    return [one for one in mixed if one.name in ("rgb", "nrg")]


@pytest.fixture
def backbone(pair):
    made = EosFM.from_specialists(pair, RGB, adaptation="counted").eval()
    made.norm = torch.nn.Linear(1, 1)
    return made


def message_of(call: Callable[[], Any]) -> str | None:
    """The line with which a call is refused; None if it is taken."""
    try:
        call()
    except EosfmError as error:
        assert len(str(error)) < 500 and "\n" not in str(error)
        return str(error)
    return None


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_a_wrong_call_is_one_line(case: Case, backbone: EosFM):
    line = message_of(lambda: case.call(backbone))
    assert line is not None and re.search(case.line, line), line


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
def test_whatever_is_given_is_taken_or_refused_in_a_line(value, pair, backbone, tmp_path):
    for option in OPTIONS:
        message_of(
            lambda option=option: EosFM.from_specialists(pair, **{"bands": RGB, option: value})
        )
    save_artifact(tmp_path / "a.pth", pair)
    refused = [
        message_of(call)
        for call in (
            lambda: EosFM.from_specialists(value, RGB),
            lambda: EosFM.from_specialists([value], RGB),
            lambda: EosFM.from_artifact(value, RGB),
            lambda: EosFM.from_artifact(tmp_path / "a.pth", RGB, max_encoders=99, units=value),
            lambda: EosFM.from_pretrained(value),
            lambda: EosFM.load(value),
            lambda: EosFM(value, backbone.fuser),
            lambda: EosFM(backbone.encoder, value),
            lambda: backbone.fuse(value),
            lambda: backbone.fuse([value] * 2),
            lambda: backbone.fuse([[value] * 4] * 2),
        )
    ]
    assert all(refused)
    if not (isinstance(value, torch.Tensor) and value.ndim == 4):
        assert message_of(lambda: backbone(value))
        assert message_of(lambda: backbone.encode(value))
