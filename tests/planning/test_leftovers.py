"""Results of entries that were taken out of params.yaml."""

import hashlib

import pytest
import yaml

from eosfm.planning.leftovers import remove_leftovers


@pytest.fixture
def project(tmp_path, params):
    """Results of one entry of each section that is there, and of one that is not."""
    (there,) = list(params.specialists)[:1]
    stages = {}
    for name in (there, "gone"):
        file, folder = f"models/specialists/{name}.pt", f"results/train/{name}"
        for path in (tmp_path / file, tmp_path / folder / "curve.csv"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        outs = [
            {"path": file, "md5": hashlib.md5(name.encode()).hexdigest()},
            {"path": folder, "md5": "0.dir"},
        ]
        stages[f"train@{name}"] = {"outs": outs}
    (tmp_path / "data/tiles/gone").mkdir(parents=True)
    (tmp_path / "results/tile/gone").mkdir(parents=True)
    tiled = [{"path": "data/tiles/gone", "md5": ""}, {"path": "results/tile/gone", "md5": ""}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    lock = yaml.safe_dump({"stages": {"tile@gone": {"outs": tiled}, "watch": {"outs": []}}})
    (tmp_path / "data/dvc.lock").write_text(lock)
    return tmp_path


def test_what_a_stage_reads_whole_goes_with_its_entry(project, params):
    removed = {str(path.relative_to(project)) for path in remove_leftovers(params, project)}
    assert removed == {"models/specialists/gone.pt", "results/train/gone", "results/tile/gone"}
    assert not any((project / path).exists() for path in removed)
    assert (project / "data/tiles/gone").exists()  # which no stage reads
    assert len(list((project / "models/specialists").iterdir())) == 1
    assert remove_leftovers(params, project) == []


def test_a_file_that_is_not_as_it_was_made_stays(project, params):
    mine = project / "models/specialists/gone.pt"
    mine.write_text("mine")
    assert mine not in remove_leftovers(params, project) and mine.read_text() == "mine"


def test_of_a_folder_that_lies_elsewhere_the_link_goes(project, params):
    link, elsewhere = project / "results/train/gone", project / "elsewhere"
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    assert link in remove_leftovers(params, project)
    assert not link.is_symlink() and (elsewhere / "curve.csv").exists()


def test_before_the_first_run_there_is_nothing_to_remove(tmp_path, params):
    assert remove_leftovers(params, tmp_path) == []
