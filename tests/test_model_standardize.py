"""Whose statistics scale the input."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.model import EosFM

pytestmark = pytest.mark.filterwarnings("ignore:skipped", "ignore:bands of")


class TestStandardize:
    UNITS = "reflectance_1e4"

    @pytest.fixture
    def known(self, make_specialist):
        return [
            make_specialist("rgb", ("B04", "B03", "B02"), units=(self.UNITS,) * 3,
                            mean=(300.0, 200.0, 100.0), std=(30.0, 20.0, 10.0)),
            make_specialist("duo", ("vv", "B08"), units=("db", self.UNITS),
                            mean=(-10.0, 3000.0), std=(2.0, 500.0)),
        ]  # fmt: skip

    def test_own_statistics_given_or_applied_before(self, known):
        mean, std = [100.0, 200.0, 300.0], [10.0, 20.0, 30.0]
        bands = ["blue", "green", "red"]
        x = 50 * torch.randn(1, 3, 32, 32) + 200
        scaled = (x - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
        inside = EosFM(known, bands=bands, mean=mean, std=std).encode(x)
        before = EosFM(known, bands=bands).encode(scaled)
        for one, two in zip(inside, before, strict=True):
            for a, b in zip(one, two, strict=True):
                torch.testing.assert_close(a, b)

    def test_specialists_apply_theirs(self, known):
        bands = ["B02", "B03", "B04", "B08"]
        backbone = EosFM(known, bands=bands, standardize="specialist", units=self.UNITS)
        x = 50 * torch.randn(1, 4, 32, 32) + 200
        rgb = (x[:, [2, 1, 0]] - torch.tensor([300.0, 200.0, 100.0]).view(-1, 1, 1)) / torch.tensor(
            [30.0, 20.0, 10.0]
        ).view(-1, 1, 1)
        duo = torch.cat([torch.zeros(1, 1, 32, 32), (x[:, 3:] - 3000) / 500], dim=1)
        expected = backbone.encoders([(0, rgb), (1, duo)])
        for one, two in zip(backbone.encode(x), expected, strict=True):
            for a, b in zip(one, two, strict=True):
                torch.testing.assert_close(a, b)

    def test_units_must_agree(self, known):
        with pytest.raises(EosfmError, match="rgb: trained on reflectance_1e4, fed with dn8"):
            EosFM(known, bands=["red", "green", "blue"], standardize="specialist", units="dn8")

    def test_statistics_must_be_there(self, make_specialist):
        with pytest.raises(EosfmError, match="new: its statistics are not in the artifact"):
            EosFM([make_specialist("new", ("vv", "vh"))], bands=["vv", "vh"],
                  standardize="specialist", units="db")  # fmt: skip

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"standardize": "specialist"}, "needs the input's units"),
            ({"standardize": "specialist", "mean": [0], "std": [1]}, "leave them out"),
            ({"mean": [0.0] * 3}, "only one of mean and std"),
            ({"mean": [0.0] * 2, "std": [1.0] * 2}, "2 values of mean for 3 channels"),
            ({"mean": [0.0] * 3, "std": [1.0, 0.0, 1.0]}, "not positive"),
            ({"standardize": "both"}, "standardize is 'both'; valid: dataset, specialist"),
            ({"adaptation": "magic"}, "adaptation is 'magic'"),
            ({"in_chans": 4}, "3 values of bands for 4 channels"),
        ],
    )
    def test_contradictions(self, known, options, message):
        with pytest.raises(EosfmError, match=message):
            EosFM(known, bands=["red", "green", "blue"], **options)

    def test_saved_with_the_backbone(self, known, tmp_path):
        backbone = EosFM(known, bands=["B02", "B03", "B04"], standardize="specialist",
                         units=self.UNITS).eval()  # fmt: skip
        backbone.save(tmp_path / "b.pth")
        x = 50 * torch.randn(1, 3, 32, 32) + 200
        again = EosFM.load(tmp_path / "b.pth").eval()
        assert all(torch.equal(a, b) for a, b in zip(backbone(x), again(x), strict=True))
        assert again.explain() == backbone.explain()
