"""Files and folders that are whole or absent, whatever stops the process that writes them."""

import errno
import glob
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eosfm.core.errors import EosfmError, expect


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path for a file or folder that replaces ``path`` at the end.

    Nothing exists at the temporary path yet: write a file, or make a folder. When the ``with``
    block succeeds, its content is flushed to disk and renamed to ``path``. When it fails, what was
    written is removed and ``path`` stays as it was. The temporary name is unique, so processes
    that write the same ``path`` do not interfere. Leftovers of killed processes are removed first.

    Args:
        path: The final file or folder; its parents are made. A link to a folder is kept: the
            link's target is replaced.

    Raises:
        EosfmError: ``path`` has no name, or a file was written and ``path`` is a folder.
        FileNotFoundError: The block ended well, but nothing was written.
    """
    path = as_path(path)
    expect("what is to be written", str(path), path.name != "", "the name of a file or a folder")
    if path.is_symlink() and path.is_dir():
        path = path.resolve()
    beside = _place_beside(path)
    try:
        yield beside
        for file in [*beside.rglob("*"), beside]:
            flush(file)
        if path.is_dir() and not beside.is_dir():
            raise EosfmError(f"{path} is a folder; expected the name of a file; choose another")
        if path.is_dir():  # a folder with content gives its name to no other; it steps aside
            former = beside.with_suffix(".old.part")
            path.replace(former)
            beside.replace(path)
            shutil.rmtree(former)
        else:
            beside.replace(path)
    except Exception as error:
        origin: BaseException | None = error
        while origin is not None:  # torch raises errors of its own while it handles the system's
            if isinstance(origin, OSError):
                named = origin.filename2 or origin.filename
                if named is None or beside.name in str(named):
                    # The temporary name means nothing to the user.
                    origin.filename, origin.filename2 = str(path), None
            origin = origin.__cause__ or origin.__context__
        raise
    finally:
        _remove(beside)


def as_path(path: Any) -> Path:
    """Convert the name of a file or folder to a Path.

    Raises:
        EosfmError: No file system would accept it.
    """
    try:
        fits = not isinstance(path, bytes) and b"\0" not in os.fsencode(path)
    except (TypeError, ValueError):
        fits = False
    expect("a path", path, fits, "the name of a file or a folder")
    return Path(path)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Make a folder beside ``path`` that is removed after the ``with`` block.

    If the process is killed, the next call for the same ``path`` removes it; Python's
    ``TemporaryDirectory`` would leave gigabytes behind for good.
    """
    beside = _place_beside(path)
    beside.mkdir()
    try:
        yield beside
    finally:
        _remove(beside)


def flush(file: Path) -> None:
    """Wait until a file's bytes, or a folder's list of names, are on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, data: Any, sort_keys: bool = True) -> None:
    """Write JSON, whole or not at all."""
    text = json.dumps(data, indent=1, sort_keys=sort_keys) + "\n"
    with atomic(path) as beside:
        beside.write_text(text)


def read_json(path: Path, remedy: str = "build it again") -> Any:
    """Read JSON.

    Args:
        path: The file.
        remedy: What the user can do where it is missing or damaged.

    Raises:
        EosfmError: The file is missing or is no JSON.
    """
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise EosfmError(f"{path} not found; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise EosfmError(f"{path} is damaged or no JSON ({error}); {remedy}") from None


def _place_beside(path: Path) -> Path:
    """A unique path beside ``path``; makes the parent folder and removes leftovers.

    Raises:
        OSError: No file can be made there.
    """
    beside = path.with_name(f"{_prefix(path)}{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        beside.touch()
        beside.unlink()
    except FileNotFoundError:  # as of /proc, where nobody makes a file
        raise PermissionError(errno.EACCES, "No file can be made there", str(path)) from None
    except OSError as error:
        if error.filename == str(beside):
            error.filename = str(path)
        raise
    return beside


def _prefix(path: Path) -> str:
    return f".{path.name}.{os.uname().nodename}-"


def _sweep(path: Path) -> None:
    """Remove what dead processes of this machine left beside ``path``.

    A folder that was moved aside but never replaced gets its name back.
    """
    prefix = _prefix(path)
    # Not those of machine host-2, whose prefix begins like that of host.
    form = re.compile(rf"{re.escape(prefix)}(\d+)-[0-9a-f]{{8}}(-\w+|\.old)?\.part")
    for left in path.parent.glob(f"{glob.escape(prefix)}*.part"):
        if not (own := form.fullmatch(left.name)) or _alive(int(own[1])):
            continue
        if own[2] == ".old" and not os.path.lexists(path):
            left.replace(path)
        else:
            _remove(left)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif os.path.lexists(path):  # a disk that is read-only refuses to remove what is not there
        path.unlink(missing_ok=True)
