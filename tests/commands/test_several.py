"""Options that take several values."""

import pytest

from eosfm.commands.several import repeat_options


@pytest.mark.parametrize(
    ("words", "understood"),
    [
        ("a.tif --bands B04 B03 -o m.tif", "a.tif --bands B04 --bands B03 -o m.tif"),
        ("a.tif -b B04 B03 -o m.tif more", "a.tif -b B04 -b B03 -o m.tif more"),
        ("a.tif --bands B04 --bands B03", "a.tif --bands B04 --bands B03"),
        ("a.tif --bands B04 B03 B02", "a.tif --bands B04 --bands B03 --bands B02"),
        ("a.tif --out B04 B03", "a.tif --out B04 B03"),
        ("a.tif --bands=B04 B03", "a.tif --bands=B04 B03"),
        ("-S a=1 b=2 -n x", "-S a=1 -S b=2 -n x"),
        ("-S a=1 train@potsdam report", "-S a=1 train@potsdam report"),
        ("-S a=1 -S b=2 train@potsdam", "-S a=1 -S b=2 train@potsdam"),
        ("train@potsdam -S a=1", "train@potsdam -S a=1"),
    ],
)
def test_an_option_is_repeated_before_its_values_alone(words, understood):
    assert " ".join(repeat_options(words.split(), {"--bands", "-b", "-S"})) == understood


def test_an_empty_value_is_one():
    words = ["a.pth", "--prefix", "", "lab2_"]
    assert repeat_options(words, {"--prefix"}) == ["a.pth", "--prefix", "", "--prefix", "lab2_"]
