from hypothesis import given
from hypothesis import strategies as st

from eosfm.core.seeds import derive_seed

WORDS = st.text("abc09_-@./ é", max_size=8)


@given(st.integers(0, 2**31), WORDS, WORDS)
def test_a_seed_is_stable_and_fits_32_bits(seed, stage, item):
    first = derive_seed(seed, stage, item)
    assert first == derive_seed(seed, stage, item)
    assert 0 <= first < 2**32


def test_parts_matter():
    seeds = {derive_seed(s, stage, i) for s in (0, 1) for stage in "ab" for i in "cd"}
    assert len(seeds) == 8


def test_value_is_the_same_on_every_machine():
    assert derive_seed(0, "train", "potsdam") == 2416713718
