"""Which of the user's files go into the workers' clones."""

import io
import os
import subprocess
import tarfile

import pytest

from eosfm.cluster.snapshot import pack, unpack
from eosfm.core.errors import EosfmError


def test_the_users_own_data_stay_where_they_are(project):
    project.edit("params.yaml", "b: {root: null}", "b: {root: data}\n  d: {root: ..}")
    for name in ("data/archives/tiles.tif", "data/image.tif", "new.py", ".cache/ignored"):
        file = project.path / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    with tarfile.open(fileobj=io.BytesIO(pack(project.path)), mode="r:gz") as archive:
        names = set(archive.getnames())
    assert {"data/dvc.yaml", "params.yaml", "stages.sh", "new.py"} < names
    assert not {name for name in names if name.endswith((".tif", "ignored"))}


def test_a_name_in_another_encoding_goes_along(project):
    (project.path / os.fsdecode(b"caf\xe9.txt")).write_text("latin")
    unpack(pack(project.path), project.path / ".cache/clone")
    assert (project.path / ".cache/clone" / os.fsdecode(b"caf\xe9.txt")).read_text() == "latin"


def test_a_folder_that_git_does_not_open_is_told(tmp_path, monkeypatch):
    with pytest.raises(EosfmError, match="is in no Git repository; run in a clone"):
        pack(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(EosfmError, match="another user owns; allow it: git config --global --add"):
        pack(tmp_path)
