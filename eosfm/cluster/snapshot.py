"""The user's files as they stand, uncommitted changes included, packed for the workers' clones."""

import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path

from eosfm.core.errors import EosfmError


def pack(project: Path) -> bytes:
    """Files that Git tracks or would track, as an archive; without DVC's locks.

    A clone with the committed lock would not look into DVC's cache of runs. Of the user's own data,
    which may be large and which clones find where they are, there is nothing but what Git tracks.

    Raises:
        EosfmError: The folder is not in a Git repository.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name in _names(project):
            archive.add(project / name, name)
    return packed.getvalue()


def digests(project: Path, outs: Collection[Path]) -> dict[str, str]:
    """SHA-256 by name of the files that :func:`pack` packs, without what lies in outs of stages.

    Raises:
        EosfmError: The folder is not in a Git repository.
    """
    made = set(outs)
    return {
        name: hashlib.sha256(_content(project / name)).hexdigest()
        for name in _names(project)
        if made.isdisjoint([project / name, *(project / name).parents])
    }


def _content(file: Path) -> bytes:
    return os.readlink(file).encode() if file.is_symlink() else file.read_bytes()


def _names(project: Path) -> list[str]:
    data = [folder for folder in _own_data(project) if project in folder.parents]
    names = set(_listed(project, "--cached"))
    for name in _listed(project, "--others", "--exclude-standard"):
        if not any((project / name).is_relative_to(folder) for folder in data):
            names.add(name)
    # A deleted file is listed until that is committed; a nested repository is a folder.
    files = ((name, project / name) for name in sorted(names))
    return [
        name
        for name, file in files
        if file.name != "dvc.lock" and (file.is_symlink() or file.is_file())
    ]


def _listed(project: Path, *which: str) -> list[str]:
    """Names of files that Git lists."""
    listed = subprocess.run(["git", "ls-files", "-z", *which], cwd=project, capture_output=True)
    if listed.returncode and b"safe.directory" in listed.stderr:
        raise EosfmError(
            f"Git refuses {project}, which another user owns; allow it: "
            f"git config --global --add safe.directory {project}"
        )
    if listed.returncode:
        raise EosfmError(f"{project} is in no Git repository; run in a clone of the project")
    return list(filter(None, os.fsdecode(listed.stdout).split("\0")))  # of any bytes


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
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)  # not in Python 3.11.2
        archive.extractall(folder)
