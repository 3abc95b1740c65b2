"""The user's files as they stand, uncommitted changes included, packed for the workers' clones."""

import io
import subprocess
import tarfile
from pathlib import Path

from eosfm.core.errors import EosfmError


def pack(project: Path) -> bytes:
    """Files that Git tracks or would track, as an archive; without DVC's locks.

    A clone with the committed lock would not look into DVC's cache of runs.

    Raises:
        EosfmError: The folder is not in a Git repository.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        raise EosfmError(f"{project} is in no Git repository; run in a clone of the project")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name in sorted(set(filter(None, listed.stdout.split("\0")))):
            file = project / name
            # A deleted file is listed until that is committed; a nested repository is a folder.
            if file.name != "dvc.lock" and (file.is_symlink() or file.is_file()):
                archive.add(file, name)
    return packed.getvalue()


def unpack(packed: bytes, folder: Path) -> None:
    """Write the files of :func:`pack` into a folder, which is made."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        archive.extractall(folder, filter="tar")
