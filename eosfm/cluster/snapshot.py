"""The user's files as they stand, uncommitted changes included, packed for the workers' clones."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from eosfm.core.errors import EosfmError


def pack(project: Path) -> bytes:
    """Files that Git tracks or would track, as an archive; without DVC's locks.

    A clone with the committed lock would not look into DVC's cache of runs. Of the user's own data,
    which may be large and which clones find where they are, there is nothing but what Git tracks.

    Raises:
        EosfmError: The folder is not in a Git repository.
    """
    data = [folder for folder in _own_data(project) if project in folder.parents]
    names = set(_listed(project, "--cached"))
    for name in _listed(project, "--others", "--exclude-standard"):
        if not any((project / name).is_relative_to(folder) for folder in data):
            names.add(name)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name in sorted(names):
            file = project / name
            # A deleted file is listed until that is committed; a nested repository is a folder.
            if file.name != "dvc.lock" and (file.is_symlink() or file.is_file()):
                archive.add(file, name)
    return packed.getvalue()


def _listed(project: Path, *which: str) -> list[str]:
    """Names of files that Git lists."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *which], cwd=project, capture_output=True, text=True
    )
    if listed.returncode:
        raise EosfmError(f"{project} is in no Git repository; run in a clone of the project")
    return list(filter(None, listed.stdout.split("\0")))


def _own_data(project: Path) -> Iterator[Path]:
    """Where ``archives`` and each ``root`` of params.yaml lie."""
    from dvc.utils.serialize import load_yaml

    file = project / "params.yaml"
    params = load_yaml(file) if file.exists() else {}
    roots = (dataset.get("root") for dataset in params.get("datasets", {}).values())
    for place in filter(None, (params.get("archives"), *roots)):
        yield Path(os.path.normpath(project / Path(place).expanduser()))


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files of :func:`pack` into a folder, which is made."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        archive.extractall(folder, filter="tar")
