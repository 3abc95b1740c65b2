"""Unpacking tar archives of others with any Python 3.11.

Debian 12 has 3.11.2, whose ``tarfile`` knows no filters yet; 3.11.4 and later do.
"""

import tarfile
from pathlib import Path, PurePosixPath


def extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Unpack the content of a member below ``folder``, without its owner, mode and time.

    Raises:
        tarfile.TarError: It is no file or folder, or would land outside.
    """
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
        raise tarfile.ExtractError(f"{member.name!r} is no file or folder below it")
    tar.extraction_filter = getattr(tarfile, "data_filter", None)
    tar.extract(member, folder, set_attrs=False)
