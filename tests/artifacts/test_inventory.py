import re
from dataclasses import replace

import pytest
import torch

from eosfm.artifacts.card import write_card
from eosfm.artifacts.inventory import content_hash, take_inventory
from eosfm.artifacts.licences import allows_commerce, training_data
from eosfm.artifacts.tables import show_inventory
from eosfm.core.errors import EosfmError
from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.planning.facts import ARCHIVES


def test_what_the_file_says_of_each(artifact_file, members):
    inventory = take_inventory(artifact_file)
    assert inventory.bytes == artifact_file.stat().st_size
    rgb, s1, published = inventory.specialists
    assert (rgb.dataset, rgb.kind, rgb.metric, rgb.score) == (
        "eurosat", "classification", "accuracy", 0.75,
    )  # fmt: skip
    assert (rgb.source, s1.source) == ("simulated", None)
    assert rgb.bands == ("B04", "B03", "B02")
    assert rgb.parameters == sum(t.numel() for t in members[0].state_dict.values())
    assert rgb.provenance["validation"]["epoch"] == 3
    assert (s1.kind, s1.score, s1.provenance["dates"]) == (None, None, 1)
    assert (published.dataset, published.bands, published.in_chans) == (None, None, 3)
    assert inventory.parameters == sum(one.parameters for one in inventory.specialists)
    assert [(data.name, data.commercial) for data in inventory.datasets] == [
        ("eurosat", True), ("loveda", False),
    ]  # fmt: skip
    assert inventory.fusion is None


def test_the_licence_of_weights_that_training_began_with_counts(members, tmp_path):
    start = {"source": "timm/convnextv2_atto.fcmae", "licence": "cc-by-nc-4.0"}
    begun = [replace(one, facts=one.facts | {"start": start}) for one in members]
    for specialists, group in ((members, "made of what may"), (begun, "non-commercial use alone")):
        save_artifact(tmp_path / "a.pth", specialists)
        card = write_card(take_inventory(tmp_path / "a.pth"))
        assert re.search(rf"{group}.*: .*{members[0].name}", card)
        assert (start["source"] in card) == (specialists is begun)
    said = {"apache-2.0": True, "cc-by-nc-4.0": False, "cc-by-4.0": True, "other": None, None: None}
    assert {name: allows_commerce(name) for name in said} == said


def test_a_copy_under_a_key_of_its_own_has_the_licence_of_what_it_is_a_copy_of(members, tmp_path):
    facts = members[0].facts | {"dataset": "loveda_real", "reader": "loveda"}
    save_artifact(tmp_path / "a.pth", [replace(members[0], facts=facts)])
    (data,) = take_inventory(tmp_path / "a.pth").datasets
    assert (data.name, data.commercial) == ("loveda_real", False)


def test_facts_of_a_stranger_command_no_terminal(artifact_file, members, tmp_path, capsys):
    facts = members[0].facts | {"dataset": "eurosat\x1b[31m", "task": "two\nlines"}
    path = tmp_path / "strange.pth"
    save_artifact(path, [replace(members[0], facts=facts)])
    show_inventory(take_inventory(path))
    out = capsys.readouterr().out
    assert "\x1b[31m" not in out and r"\x1b[31m" in out and r"two\nlines" in out


def test_fusion_of_a_saved_backbone(backbone_file):
    inventory = take_inventory(backbone_file)
    assert inventory.fusion["bands"] == ["B02", "B03", "B04"]
    assert inventory.fusion["specialists"] == [inventory.specialists[0].name] == ["rgb"]


def test_words_of_a_strangers_fusion_command_no_terminal(backbone_file, capsys):
    content = torch.load(backbone_file, weights_only=True)
    state = content[0][2]["eosfm"]
    state["fuser"]["fusion"], state["input"]["bands"] = "mean\x1b[31m", ["B02\x1b[2J"]
    torch.save(content, backbone_file)
    show_inventory(take_inventory(backbone_file))
    out = capsys.readouterr().out
    assert "\x1b" not in out and r"\x1b[31m" in out and r"\x1b[2J" in out


@pytest.mark.parametrize("change", [{"kept": [7]}, {"inputs": None}, {"fusion": 5}])
def test_a_damaged_fusion_is_one_line(backbone_file, change):
    content = torch.load(backbone_file, weights_only=True)
    content[0][2]["eosfm"]["fuser"].update(change)
    torch.save(content, backbone_file)
    with pytest.raises(EosfmError, match="a saved fusion without its settings"):
        take_inventory(backbone_file)


def test_hash_is_of_the_tensors_alone(members, tmp_path):
    before = content_hash(members[0].state_dict)
    save_artifact(tmp_path / "x.pth", [members[1], replace(members[0], name="other", facts={})])
    after = load_artifact(tmp_path / "x.pth")[1].state_dict
    assert content_hash(after) == before
    assert content_hash(dict(reversed(after.items()))) == before
    key = next(iter(after))
    bit = after[key].clone()
    bit.view(torch.int32)[(0,) * bit.ndim] ^= 1
    for altered in ({key: bit}, {key: after[key].double()}, {key: after[key].flatten()}):
        assert content_hash({**after, **altered}) != before
    assert content_hash({"k": torch.tensor(1)}) != content_hash({"k": torch.tensor([1])})


@pytest.mark.parametrize("name", ARCHIVES)
def test_answers_agree_with_the_words_of_the_licence(name):
    known = training_data(name)
    licence, allowed = known.licence, known.commercial
    if "NC" in licence or "research use" in licence or "academic use" in licence:
        assert allowed is False
    elif "not stated" in licence or "as their publisher states" in licence:
        assert allowed is None
    else:
        assert allowed is True


def test_a_dataset_of_the_users_own():
    data = training_data("mine")
    assert (data.name, data.licence, data.commercial) == ("mine", None, None)
