"""Mutated files of weights: read, or refused in one line; never code, never memory without end."""

import os
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from eosfm.core import tensors
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact, save_artifact
from tests.faults.lines import assert_says, line_of

LONG = bool(os.environ.get("EOSFM_LONG"))
MUTATIONS = 6_000 if LONG else 600
SECONDS = 600.0 if LONG else 60.0
"""The fuzzer stops then, however far it is."""


@pytest.fixture(scope="module")
def good(make_specialist, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "eosfm.pth"
    known = {"mean": (1.0,) * 3, "std": (2.0,) * 3, "units": ("dn8",) * 3}
    save_artifact(path, [make_specialist("rgb", ("red", "green", "blue"), **known)])
    return path


class Code:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return print, ("pwned",)


def test_mutated_artifacts_are_read_or_refused_in_a_line(good: Path, tmp_path: Path):
    content, rng = good.read_bytes(), np.random.default_rng(0)
    path, began, refused, tried = tmp_path / "eosfm.pth", time.monotonic(), 0, 0
    while tried < MUTATIONS and time.monotonic() - began < SECONDS:
        tried += 1
        damaged = bytearray(content)
        if tried % 4 == 0:
            damaged = damaged[: rng.integers(len(damaged))]
        elif tried % 4 == 1:
            start = rng.integers(len(damaged))
            del damaged[start : start + rng.integers(1, 2_000)]
        else:  # the pickle and the archive's tables lie at both ends
            ends = [*range(3_000), *range(len(damaged) - 3_000, len(damaged))]
            for at in rng.choice(ends, size=rng.integers(1, 6)):
                damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            (specialist,) = load_artifact(path)
            assert specialist.name == "rgb"
        except EosfmError as error:
            refused += 1
            assert len(str(error)) < 1_500
    assert tried >= 100 and refused > 0.9 * tried


def test_code_is_not_run(tmp_path: Path, capsys):
    path = tmp_path / "eosfm.pth"
    torch.save([(3, {"a": Code()}, {})], path)
    assert_says(
        line_of(capsys, lambda: load_artifact(path)), r"holds code \(.*print\); expected tensors"
    )
    path.write_bytes(pickle.dumps(Code()))
    assert_says(line_of(capsys, lambda: load_artifact(path)), r"eosfm.pth (holds code|is damaged)")
    assert "pwned" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, 1, "words", [], {}, [1], [(3,)], [(3, {}, {}, 4)]])
def test_content_of_another_kind(tmp_path: Path, content, capsys):
    path = tmp_path / "eosfm.pth"
    tensors.write(path, content)
    assert_says(
        line_of(capsys, lambda: load_artifact(path)),
        r"eosfm.pth (holds a \w+, expected a list|is not \(in_chans, state_dict, config\))",
    )


def test_an_archive_that_grows(good: Path, tmp_path: Path, capsys):
    """Torch packs nothing: a member that unpacks to a thousand times its size is not its own."""
    path = tmp_path / "eosfm.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/data/0", bytes(2**28))
    began = time.monotonic()
    line_of(capsys, lambda: load_artifact(path))
    assert time.monotonic() - began < 10
