"""The commands that look at artifacts or write them, called as a user does."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

import eosfm.cli
from eosfm.encoding.artifact import load_artifact, save_artifact
from eosfm.evaluation.fitted import read_fitted
from eosfm.model import EosFM
from eosfm.prediction.bundle import bundle

ROOT = Path(eosfm.__file__).parents[1]


@pytest.mark.parametrize("name", ["info", "explain", "validate", "prune", "merge", "export"])
def test_help_has_an_example(call, name):
    status, out, _ = call(name, "--help")
    assert status == 0
    assert f"Example: eosfm {name}" in out


def test_info(call, artifact_file):
    status, out, err = call("info", artifact_file)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines()[1:])) <= 100
    for words in ("3 specialists", "0.750 accuracy", "CC BY-NC-SA 4.0", "vv vh vh"):
        assert words in out
    status, out, _ = call("info", artifact_file, "--json")
    facts = json.loads(out)
    assert [one["name"] for one in facts["specialists"]] == ["rgb", "s1", "published"]
    assert len(facts["specialists"][0]["sha256"]) == 64


def test_info_of_what_is_no_artifact(call, tmp_path):
    (tmp_path / "a.pth").write_text("text")
    status, out, err = call("info", tmp_path / "a.pth")
    assert (status, out) == (1, "")
    assert err.startswith("error: ") and err.count("\n") == 1


def test_info_of_a_fitted_task_and_of_a_bundle(call, fitted_file, artifact, tmp_path):
    task, made = fitted_file("segmentation")[0], tmp_path / "made.pt"
    bundle(task, artifact, made)
    fitted = read_fitted(task)
    status, alone, err = call("info", task)
    assert (status, err) == (0, "") and "task segmentation (segmentation), fitted on" in alone
    assert fitted.artifact in alone and "licence" not in alone
    status, shown, err = call("info", made)
    assert (status, err) == (0, "")
    for words in (*fitted.bands, *fitted.classes, *fitted.specialists, "SHA-256 of its tensors"):
        assert words in shown
    assert f"{fitted.metric} {fitted.val[fitted.metric]:.3f} on validation data" in shown
    facts = json.loads(call("info", made, "--json")[1])
    assert facts["bands"] == list(fitted.bands) and facts["gsd"] == fitted.gsd
    within = [one["name"] for one in facts["ensemble"]["specialists"]]
    assert within == list(fitted.specialists)


def test_explain(call, artifact_file):
    status, out, err = call("explain", artifact_file, "--bands", "B04", "B03", "B02")
    assert (status, err) == (0, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = EosFM.from_artifact(artifact_file, ["B04", "B03", "B02"]).explain()
    assert out == expected + "\n"
    status, out, _ = call("explain", artifact_file, "--json", "--bands", "vv", "vh")
    facts = json.loads(out)
    assert [one["name"] for one in facts["inputs"]] == ["s1"]
    assert set(facts["skipped"]) == {"rgb", "published"}
    status, out, err = call(
        "explain", artifact_file, "--bands", "B04", "B33", "--adaptation", "named"
    )
    assert (status, out) == (1, "")
    assert err.startswith("error: unknown band 'B33'")


def test_validate(call, artifact_file):
    assert call("validate", artifact_file) == (0, f"{artifact_file} has no fault\n", "")
    content = torch.load(artifact_file, weights_only=True)
    content[0][2]["std"] = [0.0] * 3
    content[1][2]["name"] = "rgb"
    torch.save(content, artifact_file)
    status, out, err = call("validate", artifact_file)
    assert (status, out) == (1, "")
    assert [line.partition(": ")[0] for line in err.splitlines()] == ["error", "error"]
    status, out, _ = call("validate", artifact_file, "--json")
    assert status == 1 and len(json.loads(out)["faults"]) == 2


def test_validate_takes_a_tile_store(call, stores):
    folder = stores["series"].path
    assert call("validate", folder) == (0, f"{folder} has no fault\n", "")
    status, out, err = call("validate", folder.parent)
    assert (status, out) == (1, "") and "store.json not found" in err


def test_prune_and_merge(call, artifact_file, tmp_path):
    small, both = tmp_path / "small.pth", tmp_path / "both.pth"
    status, _, _ = call("prune", artifact_file, "--keep", "s1", "rgb", "-o", small)
    assert (status, [one.name for one in load_artifact(small)]) == (0, ["rgb", "s1"])
    assert call("merge", artifact_file, small, "-o", both)[0] == 1
    assert not both.exists()
    assert call("merge", artifact_file, small, "-o", both, "--prefix", "", "lab2_")[0] == 0
    names = [one.name for one in load_artifact(both)]
    assert names == ["rgb", "s1", "published", "lab2_rgb", "lab2_s1"]
    (tmp_path / "metrics.json").write_text(json.dumps({"selected": ["published"]}))
    call("prune", artifact_file, "-o", small, "--from-task", tmp_path / "metrics.json")
    assert [one.name for one in load_artifact(small)] == ["published"]
    status, _, err = call("prune", artifact_file, "-o", small)
    assert status == 1 and "one of the two" in err


def test_export(call, artifact_file, tmp_path):
    (tmp_path / "metrics.json").write_text(json.dumps({"energy.kwh": 1.5}))
    words = ("export", artifact_file, tmp_path / "hub", "--metrics", tmp_path / "metrics.json")
    assert call(*words)[0] == 0
    assert "1.5 kWh" in (tmp_path / "hub" / "README.md").read_text()
    assert EosFM.from_pretrained(tmp_path / "hub", in_chans=3).selected
    for other in ({"energy.kwh": None}, {"selected": ["rgb"], "test": {}}, "energy.kwh"):
        (tmp_path / "metrics.json").write_text(json.dumps(other))
        status, _, err = call(*words)
        assert status == 1 and "expected the pipeline's metrics.json" in err


def test_info_loads_torch_and_little_else(make_specialist, tmp_path):
    save_artifact(tmp_path / "a.pth", [make_specialist("a", 3, backbone="smallnext")])
    script = (
        "import sys\nimport eosfm.cli\nsys.argv = ['eosfm', 'info', sys.argv[1]]\n"
        "try:\n    eosfm.cli.main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "a.pth")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, text=True, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    heavy = {"timm", "lightning", "torchvision", "torchmetrics", "rasterio", "pandas", "scipy"}
    assert not heavy & set(done.stderr.split())
