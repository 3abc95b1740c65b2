from unicodedata import normalize

import numpy as np

from eosfm.datasets.native.holdout import divide, hold_out, rank

NAMES = [f"toy/{number}" for number in range(20_000)]


def test_ranks_are_spread_evenly_and_never_change():
    ranks = np.array([rank(name) for name in NAMES])
    assert np.abs(np.histogram(ranks, 10, (0, 1))[0] / len(NAMES) - 0.1).max() < 0.01
    assert rank("toy/1") == 0.7404846004248696


def test_shares_are_those_asked_for():
    splits = [hold_out(name, validate=0.1, test=0.2) for name in NAMES]
    shares = {split: splits.count(split) / len(splits) for split in set(splits)}
    assert abs(shares["val"] - 0.1) < 0.01 and abs(shares["test"] - 0.2) < 0.01
    assert {hold_out(name, 0, 0) for name in NAMES} == {"train"}


def test_one_part_tests_and_the_other_is_divided():
    names = [name.removeprefix("toy/") for name in NAMES]
    assert {divide("toy", "b", 0.1, "b", name) for name in names} == {"test"}
    splits = [divide("toy", "b", 0.1, "a", name) for name in names]
    assert splits == [hold_out(name, validate=0.1, test=0) for name in NAMES]


def test_umlauts_count_the_same_wherever_they_are_taken_apart():
    assert rank(normalize("NFD", "W\u00e4lder/1")) == rank(normalize("NFC", "W\u00e4lder/1"))
