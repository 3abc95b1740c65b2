import re
import subprocess
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_backbone_example_runs_in_at_most_ten_lines(tmp_path, monkeypatch):
    import timm

    from eosfm.encoding.artifact import save_artifact
    from eosfm.nn.specialist import Specialist

    block = re.search(r"<!-- example.*?-->\n```python\n(.*?)```", README, re.DOTALL)
    assert block is not None
    code = block.group(1)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    model = timm.create_model("convnextv2_atto", features_only=True, in_chans=3)
    bands = ("B04", "B03", "B02")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    save_artifact(
        "models/eosfm.pth",
        [Specialist("rgb", "convnextv2_atto", 3, model.state_dict(), bands=bands)],
    )
    torch.manual_seed(0)
    names: dict = {}
    exec(code, names)
    assert torch.isfinite(names["loss"])
    assert "rgb" in names["backbone"].explain()


@pytest.mark.parametrize("path", re.findall(r"\]\(([\w./]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


def test_files_named_in_code_exist():
    for path in re.findall(r"`(eosfm/[\w/]+\.py|params\.yaml|dvc\.lock|metrics\.json)`", README):
        assert (ROOT / path).exists(), path


def test_both_commands_are_targets():
    for target in ("mini", "test"):
        assert f"make {target}" in README
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
