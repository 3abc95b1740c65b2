"""Which of the user's files go into the workers' clones."""

import io
import tarfile

from eosfm.cluster.snapshot import pack


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
