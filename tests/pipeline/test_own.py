"""What users bring is used and never lost: an artifact, and data of their own."""

import json
import os
import tarfile

import pytest
import yaml

from eosfm.datasets.native.manifest import read_manifest

from .conftest import FEW, ROOT, copy_project


@pytest.fixture(scope="module")
def fresh(warm, tmp_path_factory):
    """A clone in which nothing has run."""
    return copy_project(tmp_path_factory.mktemp("fresh") / "project", FEW)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """An artifact of one small specialist with fresh weights."""
    import timm

    from eosfm.encoding.artifact import save_artifact
    from eosfm.nn.specialist import Specialist

    path = tmp_path_factory.mktemp("mine") / "mine.pth"
    weights = timm.create_model("test_convnext3", features_only=True, in_chans=3).state_dict()
    bands = ("B04", "B03", "B02")
    save_artifact(path, [Specialist("mine", "test_convnext3", 3, weights, bands=bands)])
    return path


def test_an_artifact_is_used_and_nothing_trained(fresh, mine):
    before = mine.read_bytes(), mine.stat()
    pipeline = (fresh.path / "dvc.yaml").read_text()
    out = fresh.run("eosfm", "use", str(mine)).stdout
    assert "mine.pth: mine." in out and "eosfm use --built" in out
    done = fresh.run("dvc", "exp", "run", "-S", "fusion.max_encoders=1", "evaluate@eurosat")
    assert fresh.stages_run(done.stdout) == {
        "watch", "download@eurosat", "tile@eurosat", "features@eurosat", "evaluate@eurosat",
    }  # fmt: skip
    result = json.loads((fresh.path / "results/evaluate/eurosat/metrics.json").read_text())
    assert result["selected"] == ["mine"]
    assert (fresh.path / "models/eosfm.pth").read_bytes() == before[0] == mine.read_bytes()
    assert mine.stat() == before[1]
    export = json.loads((fresh.path / "results/export/metrics.json").read_text())
    assert export["specialists"] == ["mine"] and export["parameters"] > 300_000
    assert "are up to date" in fresh.run("dvc", "status", "export").stdout
    fresh.run("eosfm", "use", "--built")
    assert (fresh.path / "dvc.yaml").read_text() == pipeline
    assert "changed command" in fresh.run("dvc", "status", "export").stdout  # so it is built again


def test_an_artifact_put_where_the_pipeline_writes_stops_the_run(fresh, mine):
    target = fresh.path / "models/eosfm.pth"
    target.unlink()
    target.write_bytes(mine.read_bytes() + b"another")
    done = fresh.run("dvc", "repro", "report", check=False)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "error: models/eosfm.pth is not of this pipeline, which would delete it" in done.stdout
    assert "`eosfm use models/eosfm.pth`" in done.stdout
    assert target.read_bytes().endswith(b"another")
    target.unlink()


def test_a_file_that_is_no_artifact_changes_nothing(fresh, tmp_path):
    (tmp_path / "bad.pth").write_bytes(b"no artifact")
    before = (fresh.path / "dvc.yaml").read_text()
    done = fresh.run("eosfm", "use", str(tmp_path / "bad.pth"), check=False)
    assert done.returncode == 1 and done.stdout.count("error:") == 1
    assert "Traceback" not in done.stdout
    assert (fresh.path / "dvc.yaml").read_text() == before
    assert not (fresh.path / "models/eosfm.pth").exists()
    for words in (["use"], ["use", "--built", "x"]):
        assert "one of the two" in fresh.run("eosfm", *words, check=False).stdout


def test_a_change_below_a_root_is_noticed(fresh, tmp_path):
    """A real copy beside the simulated one; every file of it is rewritten under its old size."""
    fresh.run("dvc", "repro", "data/dvc.yaml:download@eurosat")
    with tarfile.open(fresh.path / "data/raw/eurosat/files.tar") as tar:
        tar.extractall(tmp_path / "mine")  # our own; Python 3.11.2 knows no filters
    real = {"reader": "eurosat", "tile": None, "splits": "train val", "simulated": None}
    real |= {"source": "archive", "root": str(tmp_path / "mine"), "scenes": "any"}
    fresh.set_params(datasets__eurosat_real=real)
    all_of_it = {"watch", "download@eurosat_real", "tile@eurosat_real"}

    def repro(stage: str = "tile") -> set[str]:
        target = f"data/dvc.yaml:{stage}@eurosat_real"
        return fresh.stages_run(fresh.run("dvc", "repro", target).stdout)

    assert repro() == all_of_it
    store = json.loads((fresh.path / "data/tiles/eurosat_real/store.json").read_text())
    assert store["dataset"] == "eurosat_real"
    assert repro() == {"watch"}
    manifest = fresh.path / "data/raw/eurosat_real/manifest.parquet"
    first = manifest.read_bytes()
    image = min((tmp_path / "mine").rglob("*.tif"))
    other = max((tmp_path / "mine").rglob("*.tif"))
    pixels, stamp = image.read_bytes(), image.stat()
    image.write_bytes(other.read_bytes()[: len(pixels)].ljust(len(pixels), b"\0"))
    os.utime(image, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert repro("download") == {"watch", "download@eurosat_real"}
    image.write_bytes(pixels)
    (tmp_path / "mine" / "more.txt").write_text("a file more")
    assert repro("download") == {"watch", "download@eurosat_real"}
    assert "more.txt" in {entry.path for entry in read_manifest(manifest).files()}
    (tmp_path / "mine" / "more.txt").unlink()
    assert repro() == {"watch"}  # the others are as they were at first, and in DVC's cache
    assert manifest.read_bytes() == first
    assert image.read_bytes() == pixels, "the user's copy is left as it was"


def test_real_samples_run_through_the_chain(warm, tmp_path, samples):
    """LoveDA and LEVIR-CD+ specialists on real tiles, Sen1Floods11 scored on its real chips."""
    project = copy_project(tmp_path / "project")
    full = yaml.safe_load((ROOT / "params.yaml").read_text())
    data = yaml.safe_load((project.path / "params.yaml").read_text())
    names = ("loveda", "levircdplus", "sen1floods11")
    data["datasets"] = {
        name: {
            **full["datasets"][name],
            "source": "archive",
            "root": str(samples / name),
            "scenes": "any",
        }
        for name in names
    }
    once = {"train": {"epochs": 1}, "mini": {}}
    data["specialists"] = {name: full["specialists"][name] | once for name in names[:2]}
    data["ensemble"] = list(names[:2])
    data["tasks"] = {"sen1floods11": full["tasks"]["sen1floods11"]}
    (project.path / "params.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    before = {path: os.stat(path).st_mtime_ns for path in samples.rglob("*") if path.is_file()}
    out = project.run("dvc", "repro", "evaluate@sen1floods11").stdout
    result = project.path / "results/evaluate/sen1floods11/metrics.json"
    assert 0 < json.loads(result.read_text())["score"] <= 1, out
    copied = project.path / "data" / "raw" / "loveda" / "files.tar"
    assert not copied.exists(), "nothing is copied"
    after = {path: os.stat(path).st_mtime_ns for path in samples.rglob("*") if path.is_file()}
    assert before == after, "the user's copy is left as it was"
