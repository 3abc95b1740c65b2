import pytest
import torch

from eosfm.artifacts.faults import find_faults
from eosfm.encoding.artifact import save_artifact


def altered(path, change):
    content = torch.load(path, weights_only=True)
    content = change(content) or content
    torch.save(content, path)
    return find_faults(path)


def configure(index, **values):
    return lambda content: content[index][2].update(values)


def poison(content):
    weights = content[0][1]
    weights["stem_0.weight"][0, 0, 0, :2] = torch.tensor([float("nan"), float("inf")])


def test_sound_files_have_none(artifact_file, backbone_file):
    assert find_faults(artifact_file) == []
    assert find_faults(backbone_file) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (poison, "rgb: 2 values of stem_0.weight are NaN or infinite"),
        (configure(0, mean=[1.0, float("nan"), 0.0]), "rgb: mean is [1.0, nan, 0.0]"),
        (configure(0, std=[1.0, 0.0, 1.0]), "rgb: std is [1.0, 0.0, 1.0]; expected numbers other"),
        (configure(0, std=None), "rgb: only one of mean and std"),
        (configure(0, std=[1.0]), "3 channels but 1 values of std"),
        (configure(0, std="ones"), "entry 0 of"),
        (configure(0, mean={"B04": 1.0}), "has mean [1.0, None, None]; expected numbers"),
        (configure(0, bands=["B04", "B3", "B02"]), "unknown band 'B3'"),
        (configure(2, name="rgb", encoder_name="rgb"), "2 specialists are named 'rgb'"),
        (configure(1, backbone="timm_hf-hub:someone/model"), "'hf-hub:someone/model' is unknown"),
        (configure(1, backbone="timm_widenext"), "specialist 's1' do not fit widenext"),
        (
            configure(1, backbone="timm_vit_small_patch14_dinov2"),
            "s1: backbone 'vit_small_patch14_dinov2' gives feature maps at",
        ),
        (lambda c: c[0][1].__delitem__("stem_0.bias"), "stem_0.bias is missing"),
        (lambda c: [*c[:2], (3, {})], "entry 2 of"),
        (lambda c: {"a": 1}, "holds a dict, expected a list"),
    ],
)
def test_a_fault_is_named_in_one_line(artifact_file, change, words):
    faults = altered(artifact_file, change)
    assert len(faults) == 1
    assert words in faults[0]
    assert "\n" not in faults[0]


def test_all_faults_at_once(artifact_file):
    def change(content):
        poison(content)
        configure(0, std=[1.0, 0.0, 1.0])(content)
        configure(1, backbone="timm_nothing")(content)
        configure(2, name="s1")(content)

    faults = altered(artifact_file, change)
    assert len(faults) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.pop("weights"),
        lambda state: state["weights"].pop(next(iter(state["weights"]))),
        lambda state: state["fuser"].update(fusion="magic"),
        lambda state: state["fuser"].update(kept=[7]),
        lambda state: state.update(input=None),
    ],
)
def test_a_fusion_that_does_not_open(backbone_file, change):
    (fault,) = altered(backbone_file, lambda content: change(content[0][2]["eosfm"]) and None)
    assert fault.startswith("the saved fusion does not open")
    assert "\n" not in fault


def test_a_missing_file(tmp_path):
    (fault,) = find_faults(tmp_path / "a.pth")
    assert "not found" in fault


def test_a_published_entry_is_sound(make_specialist, tmp_path):
    save_artifact(tmp_path / "p.pth", [make_specialist("p", 12)])
    assert find_faults(tmp_path / "p.pth") == []
