"""The pyramid of the bands themselves."""

import pytest
import torch

from eosfm.core.errors import EosfmError
from eosfm.model import EosFM

BANDS = ("red", "green", "blue", "nir")


def backbone(mixed, **options):
    return EosFM.from_specialists(mixed, bands=BANDS, spectral=True, **options).eval()


@pytest.mark.filterwarnings("ignore:skipped specialists")
class TestSpectral:
    def test_mean_and_deviation_of_each_cell(self, mixed):
        model = backbone(mixed, mean=[5.0] * 4, std=[2.0] * 4)
        x = 5 + 2 * torch.randn(2, 4, 64, 96)
        levels = model.encode(x)[-1]
        assert model.inputs[-1].spectral and model.inputs[-1].sources == BANDS
        for level, stride in zip(levels, (4, 8, 16, 32), strict=True):
            cell = (x[1, 2, stride : 2 * stride, :stride] - 5) / 2
            torch.testing.assert_close(level[1, 2, 1, 0], cell.mean())
            torch.testing.assert_close(
                level[1, 6, 1, 0], cell.std(correction=0), rtol=1e-4, atol=1e-4
            )

    def test_an_even_cell_and_what_was_not_measured_are_finite(self, mixed):
        x = torch.full((1, 4, 40, 40), 0.1)
        x[:, :, :9] = torch.nan
        assert all(level.isfinite().all() for level in backbone(mixed).encode(x)[-1])

    def test_brightness_reaches_the_fused_maps(self, mixed):
        model = backbone(mixed, normalize="pixel", fusion="concat")
        dark, bright = model(torch.zeros(1, 4, 32, 32)), model(torch.ones(1, 4, 32, 32))
        assert torch.equal(bright[0][:, -8:-4], torch.ones(1, 4, 8, 8))
        assert torch.equal(dark[0][:, -8:-4], torch.zeros(1, 4, 8, 8))

    def test_selection_counts_specialists_alone(self, mixed):
        model = backbone(mixed, max_encoders=2)
        model.fuser.selection.settle()
        x = torch.randn(1, 4, 32, 32)
        small = model.prune()
        assert len(model.selected) == 2 and "spectral" not in model.selected
        assert small.inputs[-1].spectral and small.selected == model.selected
        torch.testing.assert_close(model(x), small(x))

    def test_save_and_load(self, mixed, tmp_path):
        model, x = backbone(mixed), torch.randn(1, 4, 32, 32)
        model.save(tmp_path / "backbone.pth")
        loaded = EosFM.load(tmp_path / "backbone.pth").eval()
        assert loaded.inputs == model.inputs and "spectral" in loaded.explain()
        for before, after in zip(model(x), loaded(x), strict=True):
            assert torch.equal(before, after)

    def test_without_it_nothing_changes(self, mixed):
        plain = EosFM.from_specialists(mixed, bands=BANDS).eval()
        x = torch.randn(1, 4, 32, 32)
        for mine, theirs in zip(plain.encode(x), backbone(mixed).encode(x)[:-1], strict=True):
            assert all(map(torch.equal, mine, theirs))

    def test_physical_units_are_refused(self, mixed):
        with pytest.raises(EosfmError, match="standardize='dataset'"):
            backbone(mixed, standardize="specialist", units="reflectance_1e4")

    def test_its_name_is_taken(self, make_specialist):
        with pytest.raises(EosfmError, match="rename it"):
            EosFM.from_specialists([make_specialist("spectral", BANDS)], bands=BANDS)
