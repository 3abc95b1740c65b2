import pytest

from eosfm.core.bands import BANDS, S2_BANDS, band, band_name, check_bands, find, same
from eosfm.core.errors import EosfmError


def test_wavelengths_of_sentinel2_increase():
    wavelengths = [band(name).wavelength for name in S2_BANDS]
    assert wavelengths == sorted(wavelengths)
    assert len(S2_BANDS) == 13


def test_red_is_b04_and_not_b08():
    assert same("B04", "red")
    assert not same("B08", "red")
    assert find("red", ["B02", "B03", "B04"]) == "B04"
    assert find("B8A", ["nir", "B08"]) is None, "narrow and broad near infrared differ"


def test_exact_name_wins_over_the_same_meaning():
    assert find("B08", ["nir", "B08"]) == "B08"


def test_every_band_is_found_by_its_own_name():
    for name in BANDS:
        assert find(name, BANDS) == name


def test_unknown_band_names_a_near_one():
    with pytest.raises(EosfmError, match="B01"):
        band("B011")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("B1", "B01"), ("B2", "B02"), ("B8", "B08"), ("b8a", "B8A"), ("nir08", "B8A"), ("RED", "red"),
     ("swir16", "B11"), ("VV", "vv")],
)  # fmt: skip
def test_a_band_by_another_convention_names_the_one_that_is_meant(name, meant):
    with pytest.raises(EosfmError, match=f"unknown band '{name}'; did you mean '{meant}'"):
        band(name)


def test_optical_bands_are_named_once_and_radar_may_repeat():
    assert check_bands(["vv", "vh", "vh"]) == ("vv", "vh", "vh")
    with pytest.raises(EosfmError, match="twice"):
        check_bands(["B04", "B04"])


@pytest.mark.parametrize(
    ("text", "band"),
    [("B02", "B02"), ("b8a", "B8A"), ("B4, central wavelength 665 nm", "B04"), ("Red", "red"),
     ("VV", "vv"), ("nir08 (865 nm)", "B8A"), ("swir16", "B11"), ("Blue", "blue"), ("B10", "B10"),
     ("gray", None), ("Red Edge 1", "B05"), ("red-edge", None),
     ("Near Infra-Red", None), ("B8_10m", "B08"), ("NIR narrow", "B8A"), ("Narrow NIR", "B8A"),
     ("", None), (None, None), ("B99", None), ("quality", None)],
)  # fmt: skip
def test_descriptions_are_understood(text, band):
    assert band_name(text) == band
