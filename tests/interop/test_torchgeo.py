"""torchgeo's pretrained weights as specialists; the files are random ones of the same layout."""

from urllib.error import URLError

import pytest
import timm
import torch
from torchgeo.models import (
    ResNet18_Weights,
    ResNet50_Weights,
    Swin_V2_T_Weights,
    ViTSmall14_DINOv2_Weights,
    ViTSmall16_Weights,
)
from torchvision.models import WeightsEnum

from eosfm import EosFM
from eosfm.commands.gather import gather
from eosfm.commands.info import info
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.interop.torchgeo import specialist

S2 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")


@pytest.fixture
def published(monkeypatch):
    """The model that was "downloaded"."""
    models = []

    def state(self, **options):
        name = type(self).__name__.removesuffix("_Weights").lower()
        name = {"vitsmall16": "vit_small_patch16_224"}.get(name, name)
        torch.manual_seed(0)
        models.append(timm.create_model(name, in_chans=self.meta["in_chans"], num_classes=7))
        return models[-1].state_dict()

    monkeypatch.setattr(WeightsEnum, "get_state_dict", state)
    return models


def test_it_computes_what_torchgeo_does(published):
    weights = ResNet18_Weights.SENTINEL2_ALL_MOCO
    one = specialist("ResNet18_Weights.SENTINEL2_ALL_MOCO")
    assert (one.name, one.backbone, one.bands) == ("sentinel2_all_moco", "resnet18", S2)
    assert one.units == ("reflectance_1e4",) * 13
    assert one.facts["source"] == "torchgeo ResNet18_Weights.SENTINEL2_ALL_MOCO"
    backbone = EosFM.from_specialists(
        [one], S2, units=one.units, standardize="specialist", normalize="none", fusion="concat"
    )
    image = 3000 * torch.rand(2, 13, 64, 64)
    normalize = list(weights.transforms.children())[-1]
    (model,) = published
    with torch.no_grad():
        expected = model.eval().forward_features(normalize(image.clone()))  # in place
        torch.testing.assert_close(backbone.eval()(image)[-1], expected, rtol=1e-4, atol=1e-5)


def test_a_transformer_gives_its_tokens(published):
    weights = ViTSmall16_Weights.SENTINEL2_ALL_MAE
    one = specialist(weights)
    assert (one.name, one.backbone, one.bands) == ("sentinel2_all_mae", "vit_small_patch16_224", S2)
    backbone = EosFM.from_specialists(
        [one], S2, units=one.units, standardize="specialist", normalize="none", fusion="concat"
    )
    image = 3000 * torch.rand(1, 13, 224, 224)
    normalize = list(weights.transforms.children())[-1]
    (model,) = published
    with torch.no_grad():
        tokens = model.eval().forward_intermediates(
            normalize(image.clone()), indices=[8], intermediates_only=True
        )
        torch.testing.assert_close(backbone.eval()(image)[2], tokens[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("weights", "bands", "unit", "mean", "std"),
    [
        (ResNet50_Weights.SENTINEL1_ALL_MOCO, ("vv", "vh"), "db", (-12.59, -20.26), (5.26, 5.91)),
        (ResNet50_Weights.SENTINEL2_RGB_MOCO, ("B04", "B03", "B02"), "reflectance_1e4",
         (0.0,) * 3, (10000.0,) * 3),
    ],
)  # fmt: skip
def test_bands_units_and_statistics_are_those_of_the_transforms(
    published, weights, bands, unit, mean, std
):
    one = specialist(weights, name="mine")
    assert (one.name, one.backbone, one.bands, one.units) == (
        "mine", "resnet50", bands, (unit,) * len(bands)
    )  # fmt: skip
    assert one.mean == pytest.approx(mean) and one.std == pytest.approx(std)


def test_normalisations_in_turn_are_one(published):
    """(x / 255 - m) / s: the mean is 255 m and the deviation 255 s."""
    one = specialist(ResNet50_Weights.FMOW_RGB_GASSL, unit="dn8")
    assert one.bands == ("red", "green", "blue")
    assert one.mean == pytest.approx([255 * value for value in (0.485, 0.456, 0.406)])
    assert one.std == pytest.approx([255 * value for value in (0.229, 0.224, 0.225)])


def test_it_joins_an_ensemble_of_other_backbones(published, make_specialist, tmp_path):
    one = specialist(ResNet18_Weights.SENTINEL2_RGB_MOCO)
    save_artifact(tmp_path / "joint.pth", [make_specialist("ours", ("B04", "B03")), one])
    backbone = EosFM.from_artifact(tmp_path / "joint.pth", bands=("B04", "B03", "B02"))
    maps = backbone(torch.rand(1, 3, 64, 64))
    assert [level.shape[-1] for level in maps] == [16, 8, 4, 2]


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("ResNet50_Weights.NONE", "torchgeo has no weights 'ResNet50_Weights.NONE'; expected a"),
        (Swin_V2_T_Weights.SENTINEL2_SI_RGB_SATLAS, "are of swin_v2_t, which is no encoder here"),
        (ViTSmall14_DINOv2_Weights.SENTINEL2_ALL_SOFTCON, "a ViT with patches of 16 px"),
        (ResNet18_Weights.LANDSAT_OLI_SR_MOCO, "take weights of Sentinel-1, Sentinel-2 or RGB"),
        (ResNet50_Weights.SENTINEL2_ALL_NDVI_SECO_ECO, "are of bands .*NDVI, which are not all"),
        (ResNet50_Weights.SENTINEL2_SI_RGB_SATLAS, "divide by 255, 255, 255, which does not tell"),
        (ResNet50_Weights.SENTINEL1_GRD_CLOSP, "divide by 1, 1, which does not tell the unit"),
        (ResNet50_Weights.SENTINEL2_SI_MS_SATLAS, "some bands by 255 and others by 8160"),
    ],
)
def test_what_it_cannot_say_is_refused(published, weights, told):
    with pytest.raises(EosfmError, match=told):
        specialist(weights)
    assert not published, "nothing is downloaded before"


def test_no_unit_stands_for_bands_of_several(published):
    with pytest.raises(EosfmError, match="as bands of several units"):
        specialist(ResNet50_Weights.SENTINEL2_SI_MS_SATLAS, unit="reflectance_1e4")


def test_gather_writes_an_artifact_of_it(published, tmp_path, capsys):
    out = tmp_path / "gassl.pth"
    gather("ResNet50_Weights.FMOW_RGB_GASSL", out, unit="dn8")
    assert capsys.readouterr().out.splitlines() == [
        "fmow_rgb_gassl: resnet50, 3 channels", f"1 specialist in {out}"
    ]  # fmt: skip
    (one,) = load_artifact(out)
    assert one.units == ("dn8",) * 3
    info(out)
    shown = " ".join(capsys.readouterr().out.split())
    assert "torchgeo ResNet50_Weights.FMOW_RGB_GASSL, https://arxiv.org/abs/2011.09980" in shown
    assert "fMoW Dataset ask not known: not of the catalogue" in shown
    for options, told in (
        ({"unit": "dn9"}, "unknown unit 'dn9'; did you mean"),
        ({"backbone": "resnet50"}, "--backbone is resnet50, but ResNet50_Weights.FMOW_RGB_GASSL"),
    ):
        with pytest.raises(EosfmError, match=told):
            gather("ResNet50_Weights.FMOW_RGB_GASSL", out, **options)
    with pytest.raises(EosfmError, match="--unit is dn8, but checkpoints say theirs"):
        gather(str(tmp_path), out, unit="dn8")


def test_without_a_network_it_is_one_line(monkeypatch):
    def state(self, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", state)
    with pytest.raises(
        EosfmError, match=r"no route to host.*; try again, or put http.*/checkpoint"
    ):
        specialist(ResNet18_Weights.SENTINEL2_ALL_MOCO)
