import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml
from huggingface_hub import CommitOperationAdd, ModelCard

from eosfm.artifacts.card import write_card
from eosfm.artifacts.inventory import take_inventory
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.encoding.folder import read_folder
from eosfm.encoding.randomize import randomize
from eosfm.interop.hub import export_folder
from eosfm.model import EosFM
from eosfm.nn.specialist import Specialist

pytestmark = pytest.mark.filterwarnings("ignore:skipped", "ignore:bands of")
FILES = ["README.md", "config.json", "model.safetensors"]
BANDS = ("B02", "B03", "B04", "B08")


def same_maps(one, two, channels):
    x = torch.randn(2, channels, 40, 32)
    maps = zip(one.eval()(x), two.eval()(x), strict=True)
    return all(torch.equal(first, second) for first, second in maps)


def test_from_pretrained_equals_from_artifact(artifact_file, tmp_path):
    export_folder(artifact_file, tmp_path / "hub")
    assert sorted(file.name for file in (tmp_path / "hub").iterdir()) == FILES
    options = {"fusion": "concat", "mean": (1.0,) * 4, "std": (2.0,) * 4}
    ours = EosFM.from_pretrained(tmp_path / "hub", BANDS, **options)
    theirs = EosFM.from_artifact(artifact_file, BANDS, **options)
    assert ours.explain() == theirs.explain()
    assert same_maps(ours, theirs, 4)
    counted = EosFM.from_pretrained(tmp_path / "hub", in_chans=3, fusion="concat")
    assert same_maps(counted, EosFM.from_artifact(artifact_file, in_chans=3, fusion="concat"), 3)


def test_every_fact_is_kept(artifact_file, tmp_path):
    export_folder(artifact_file, tmp_path / "hub")
    specialists, state = read_folder(tmp_path / "hub")
    expected = load_artifact(artifact_file)
    assert state is None
    assert specialists == expected
    assert [dict(one.facts) for one in specialists] == [dict(one.facts) for one in expected]


def test_a_saved_backbone_keeps_its_fusion(backbone_file, tmp_path):
    export_folder(backbone_file, tmp_path / "hub")
    again, before = EosFM.from_pretrained(tmp_path / "hub"), EosFM.load(backbone_file)
    assert again.selected == before.selected
    assert again.input == before.input
    assert same_maps(again, before, 3)
    thawed = EosFM.from_pretrained(tmp_path / "hub", freeze=False)
    assert all(p.requires_grad for p in thawed.encoder.models.parameters())
    fresh = EosFM.from_pretrained(tmp_path / "hub", BANDS, fusion="concat")
    assert same_maps(fresh, EosFM.from_artifact(backbone_file, BANDS, fusion="concat"), 4)


def test_specialists_alone_need_the_bands(artifact_file, tmp_path):
    export_folder(artifact_file, tmp_path / "hub")
    with pytest.raises(EosfmError, match="name the input's bands"):
        EosFM.from_pretrained(tmp_path / "hub")


def test_same_bytes_in_the_place_of_a_former_export(artifact_file, backbone_file, tmp_path):
    folder = tmp_path / "hub"
    export_folder(artifact_file, folder)
    before = [(folder / name).read_bytes() for name in FILES]
    export_folder(backbone_file, folder)
    assert [(folder / name).read_bytes() for name in FILES] != before
    export_folder(artifact_file, folder)
    assert [(folder / name).read_bytes() for name in FILES] == before


def test_what_is_no_export_is_not_replaced(artifact_file, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    for place in (tmp_path / "notes", tmp_path / "notes" / "README.md"):
        with pytest.raises(EosfmError, match="is no former export"):
            export_folder(artifact_file, place)
    assert (tmp_path / "notes" / "README.md").read_text() == "mine"


def test_a_fact_that_json_cannot_hold_leaves_no_folder(members, tmp_path):
    members[0].facts["score"] = float("nan")
    save_artifact(tmp_path / "b.pth", members)
    with pytest.raises(EosfmError, match=r"a fact that config\.json cannot hold"):
        export_folder(tmp_path / "b.pth", tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_published_tensors_that_share_memory_and_statistics_as_tensors(members, tmp_path):
    pool = torch.randn(100_000)
    weights = {k: pool[: v.numel()].view(v.shape) for k, v in members[0].state_dict.items()}
    config = {"backbone": "timm_smallnext", "mean": torch.ones(3), "std": torch.ones(3)}
    torch.save([(3, weights, config)], tmp_path / "p.pth")
    export_folder(tmp_path / "p.pth", tmp_path / "hub")
    (one,), _ = read_folder(tmp_path / "hub")
    assert one.mean == (1.0, 1.0, 1.0)
    assert all(torch.equal(one.state_dict[key], value) for key, value in weights.items())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json not found"),
        (lambda f: (f / "config.json").write_text("{"), "damaged or no JSON"),
        (lambda f: (f / "config.json").write_text('{"model_type": "bert"}'), "is of format None"),
        (lambda f: (f / "config.json").write_text("[]"), "is of format None"),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "eosfm", "format": 1}'),
            r"is no config of this format \(KeyError",
        ),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors not found"),
        (lambda f: (f / "model.safetensors").write_bytes(b"1234567890"), "safetensors is damaged"),
    ],
)
def test_a_damaged_folder(artifact_file, tmp_path, damage, words):
    export_folder(artifact_file, tmp_path / "hub")
    damage(tmp_path / "hub")
    with pytest.raises(EosfmError, match=words):
        EosFM.from_pretrained(tmp_path / "hub", in_chans=3)


def test_card(artifact_file, tmp_path):
    metrics = {"energy.kwh": 0.012345, "energy.co2eq_kg": 0.0006}
    export_folder(artifact_file, tmp_path / "hub", metrics)
    card = ModelCard.load(tmp_path / "hub" / "README.md")
    assert card.data.library_name == "eosfm"
    assert card.data.license == "other"
    text = card.text
    assert "| rgb | eurosat | simulated | classification | B04 B03 B02 | smallnext | 0.750" in text
    assert "| s1 | loveda | not stated | not stated |" in text
    assert "[LoveDA](https://github.com/Junjue-Wang/LoveDA) | CC BY-NC-SA 4.0" in text
    assert "under the licence's conditions: rgb\n" in text
    assert "non-commercial use alone: s1\n" in text
    assert "ask the publisher of the data or weights: published\n" in text
    assert "whose data are simulated have seen no image" in text
    assert "Where the artifact does not state it" in text
    assert "0.0123 kWh (0.0006 kg CO2 equivalent)" in text
    assert "Not recorded" in write_card(take_inventory(artifact_file))


@pytest.mark.parametrize("source", ["archive", "root"])
def test_the_card_of_real_data_speaks_of_no_simulation(members, tmp_path, source):
    facts = members[0].facts | {"source": source}
    save_artifact(tmp_path / "real.pth", [replace(members[0], facts=facts)])
    card = write_card(take_inventory(tmp_path / "real.pth"))
    assert f"| rgb | eurosat | {'published' if source == 'archive' else 'own copy'} |" in card
    assert "simulated" not in card


def test_the_card_names_who_trained_an_encoder(members, tmp_path):
    facts = members[0].facts | {"source": "torchgeo A.B", "publication": "https://example.org/1"}
    save_artifact(tmp_path / "others.pth", [replace(members[0], facts=facts)])
    card = write_card(take_inventory(tmp_path / "others.pth"))
    assert "| encoder that others trained | source |" in card
    assert "| rgb | torchgeo A.B, https://example.org/1 |" in card


def test_the_card_beside_an_artifact_opens_it_and_tells_the_energy_of_its_training(artifact_file):
    opening = f'EosFM.from_artifact("{artifact_file}"'
    card = write_card(take_inventory(artifact_file), trained_kwh=0.5, opening=opening)
    assert "0.5 kWh for training these specialists, data and evaluation not counted" in card
    names = {"x": torch.randn(1, 3, 32, 32)}
    exec(card.split("```python\n")[1].split("```")[0], names)
    assert len(names["maps"]) == 4


def test_the_hub_client_takes_every_file(artifact_file, tmp_path):
    export_folder(artifact_file, tmp_path / "hub")
    added = [CommitOperationAdd(f.name, f) for f in sorted((tmp_path / "hub").iterdir())]
    assert [one.path_in_repo for one in added] == FILES
    assert all(one.upload_info.size > 0 for one in added)
    data = ModelCard.load(tmp_path / "hub" / "README.md").data
    assert data.license_name and data.license_link and "earth-observation" in data.tags
    assert yaml.safe_load(data.to_yaml())["pipeline_tag"] == "image-feature-extraction"


def test_the_cards_example_runs(artifact_file, backbone_file, tmp_path):
    for path, channels in ((artifact_file, 3), (backbone_file, 3)):
        export_folder(path, tmp_path / "hub")
        card = (tmp_path / "hub" / "README.md").read_text()
        code = card.split("```python\n")[1].split("```")[0]
        names = {"x": torch.randn(1, channels, 32, 32)}
        exec(code.replace("FOLDER", str(tmp_path / "hub")), names)
        assert len(names["maps"]) == 4


def test_opening_needs_torch_and_timm_alone(tmp_path):
    ensemble = randomize([Specialist("a", "test_convnext3", 3, {})], 0)
    save_artifact(tmp_path / "a.pth", ensemble)
    export_folder(tmp_path / "a.pth", tmp_path / "hub")
    code = f"""
import sys
from dataclasses import replace
for name in ("lightning", "pytorch_lightning", "torchgeo", "rasterio", "dvc", "dvclive", "pandas",
             "pydantic", "geopandas", "typer", "rich", "segmentation_models_pytorch", "scipy"):
    sys.modules[name] = None  # importing it fails
import torch, eosfm.encoding.checkpoints
from eosfm import EosFM
opened = EosFM.from_pretrained({str(tmp_path / "hub")!r}, in_chans=3)
again = EosFM.from_artifact({str(tmp_path / "a.pth")!r}, in_chans=3)
print(*(len(backbone(torch.zeros(1, 3, 32, 32))) for backbone in (opened, again)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "4 4", result.stderr


def test_config_is_strict_json(artifact_file, tmp_path):
    export_folder(artifact_file, tmp_path / "hub")
    config = json.loads(
        (tmp_path / "hub" / "config.json").read_text(),
        parse_constant=lambda word: pytest.fail(word),
    )
    assert [one["name"] for one in config["specialists"]] == ["rgb", "s1", "published"]
