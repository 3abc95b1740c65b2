"""Arbitrary values in params.yaml, and an arbitrarily damaged file: taken, or refused in a line.

EOSFM_FUZZ says how many are tried.
"""

import copy
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.serialize import load_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eosfm.core.errors import EosfmError
from eosfm.core.validation import read_yaml
from tests.faults.test_parameters import PLAIN, WORDS, file_of, read

# Hypothesis computes tables of Unicode for a text of any characters: six seconds in a fresh clone.
CHARACTERS = st.integers(0, 0x10FFFF).filter(lambda c: not 0xD800 <= c < 0xE000).map(chr)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(CHARACTERS, max_size=9),
    st.binary(max_size=3),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LEAVES, inner, max_size=3),
    max_leaves=6,
)


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in params.yaml."""
    found = [above] if above else []
    for key, value in tree.items() if isinstance(tree, dict) else ():
        found += places(value, (*above, key))
    return found


FUZZ = settings(
    max_examples=int(os.environ.get("EOSFM_FUZZ", "40")),
    deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@FUZZ
@given(place=st.sampled_from(places(PLAIN)), value=VALUES)
def test_any_value_anywhere_is_taken_or_refused_in_a_line(tmp_path, place, value):
    data = copy.deepcopy(PLAIN)
    entry = data
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    taken_or_refused(tmp_path, yaml.safe_dump(data, allow_unicode=True).encode())


@FUZZ
@given(start=st.integers(0, len(WORDS)), length=st.integers(0, 40), new=st.binary(max_size=12))
def test_any_damage_of_the_file_is_taken_or_refused_in_a_line(tmp_path, start, length, new):
    content = WORDS.encode()
    taken_or_refused(tmp_path, content[:start] + new + content[start + length :])


SCALARS = st.one_of(
    st.text("0123456789_.:+-xobeETZ", max_size=12),
    st.from_regex(r"[+-]?(0[xob]?)?[0-9_]+([.:][0-9_]*)*([eE][+-]?[0-9]+)?", fullmatch=True),
    st.sampled_from(["yes", "No", "ON", "off", "y", "N", "TRUE", "~", "Null", ".inf", ".NaN"]),
    st.dates().map(str), st.datetimes().map(str), st.floats().map(str),
    st.text(CHARACTERS, max_size=6),
)  # fmt: skip


@FUZZ
@given(scalars=st.lists(SCALARS, min_size=1, max_size=8))
def test_what_a_stage_reads_is_what_dvc_tracks(tmp_path, scalars):
    """Whatever is written: the same value of the same type, or refused by either."""
    path = file_of(tmp_path, "".join(f"k{n}: {one}\n" for n, one in enumerate(scalars)))
    try:
        tracked = load_yaml(path)
    except Exception:  # DVC's parser lets Python's own pass
        with pytest.raises(EosfmError):
            read_yaml(path)
    else:
        assert repr(read_yaml(path) or {}) == repr(tracked)


def taken_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "params.yaml"
    path.write_bytes(content)
    try:
        read(path)
    except EosfmError as error:
        assert len(str(error)) < 2_000
