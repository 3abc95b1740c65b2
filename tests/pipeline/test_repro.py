"""``eosfm repro`` makes of this project what ``dvc repro`` makes, with stages side by side."""

import hashlib
import json
import sys

from .conftest import Project, copy_project

MADE = ("data/raw", "data/tiles", "models")


def digests(project: Project) -> dict[str, str]:
    files = [
        file
        for name in MADE
        for file in (project.path / name).rglob("*")
        if file.is_file() and file.name != "eosfm.md"
    ]  # which tells the energy

    return {
        str(file.relative_to(project.path)): hashlib.md5(file.read_bytes()).hexdigest()
        for file in files
    }


def test_two_workers_make_the_same_bytes(tmp_path):
    plain, ours = copy_project(tmp_path / "a" / "plain"), copy_project(tmp_path / "b" / "ours")
    plain.run("dvc", "repro", "export")
    command = "from eosfm.cli import main; main()"
    out = ours.run(sys.executable, "-c", command, "repro", "--workers", "2", "export").stdout
    assert "[7/7]" in out and "train levircdplus: f1" in out
    assert digests(ours) == digests(plain)
    assert ours.lock().keys() == plain.lock().keys()
    records = [json.loads(file.read_text()) for file in ours.path.rglob("energy.json")]
    assert len(records) == 7 and len({record["run"] for record in records}) == 1
    assert ours.stages_run(ours.run("dvc", "repro", "export").stdout) == {"watch"}
