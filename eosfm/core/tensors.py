"""Files of tensors and plain values: never code, whole or absent, equal content in equal bytes."""

import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError, tells_of_memory
from eosfm.core.files import as_path, atomic

SHARED = 4
"""Tensors may share memory, as in published files: up to this many times the stored bytes."""
SMALL = 64 * 2**20
"""Bytes of tensors for which sharing is not looked at."""
VALUES = 1_000_000
"""Most values that a file may hold, repetitions counted."""

DAMAGED = (
    RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError,
    struct.error, zipfile.BadZipFile,
)  # fmt: skip
"""What torch raises of files that are not its own."""


def read(path: Path | str, mapped: bool = False, summed: bool = True) -> Any:
    """Read a file of tensors and plain values.

    Args:
        path: The file.
        mapped: Whether to memory-map the tensors, for callers that read each of them once.
        summed: Whether to verify the checksums; not needed where the file's hash is compared.

    Raises:
        EosfmError: The file is missing, truncated, altered, holds anything else, or would take
            much more memory than it has bytes.
    """
    path = as_path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "not found"
        raise EosfmError(f"{path} {found}; expected a file of weights")
    try:
        _check_archive(path)
        with ThreadPoolExecutor(1) as beside:  # summing up frees the GIL
            sums = beside.submit(check_sums, path) if summed else None
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        if sums is not None:
            sums.result()
        _check_memory(path, content)
        return content
    except pickle.UnpicklingError as error:
        code = re.search(r"\bGLOBAL ([\w.]+)", str(error))
        reason = f"holds code ({code[1]})" if code else "is damaged or no file of weights"
        raise EosfmError(f"{path} {reason}; expected tensors and plain values alone") from None
    except DAMAGED as error:
        if tells_of_memory(error):
            raise
        raise EosfmError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); build it again"
        ) from None


def _check_archive(path: Path) -> None:
    """Refuse an archive that torch does not write, which it would unpack."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > path.stat().st_size:
        raise EosfmError(f"{path} is packed, as torch packs no weights; build it again")


def _check_memory(path: Path, content: Any) -> None:
    """Refuse content that grows when it is copied: few bytes that are named many times."""
    storages: dict[int, int] = {}
    sizes: dict[int, tuple[int, int]] = {}  # values and bytes, repetitions counted

    def measure(value: Any) -> tuple[int, int]:
        if isinstance(value, Tensor):
            if value.layout == torch.strided:
                storage = value.untyped_storage()
                storages[storage._cdata] = storage.nbytes()
            return 1, value.numel() * value.element_size()
        if not isinstance(value, (Mapping, list, tuple)):
            return 1, 0
        if id(value) not in sizes:
            sizes[id(value)] = (VALUES + 1, 0)  # what holds itself has no end
            entries = [*value, *value.values()] if isinstance(value, Mapping) else list(value)
            parts = [measure(entry) for entry in entries]
            sizes[id(value)] = (1 + sum(n for n, _ in parts), sum(size for _, size in parts))
        return sizes[id(value)]

    try:
        values, size = measure(content)
    except RecursionError:
        values, size = VALUES + 1, 0
    held = sum(storages.values())
    if values > VALUES or size > max(SMALL, SHARED * held):
        raise EosfmError(
            f"{path} names its content again and again: {values} values and {size / 2**20:.0f} MiB "
            f"of tensors from {held / 2**20:.0f} MiB; build it again"
        )


def check_sums(path: Path) -> None:
    """Compare a file's members with their checksums, which torch does not look at.

    Raises:
        EosfmError: One differs.
    """
    with zipfile.ZipFile(path) as archive:
        member = archive.testzip()
    if member is not None:
        raise EosfmError(f"{path} is damaged ({member}); copy or build it again")


def write(path: Path | str, content: Any) -> None:
    """Write tensors and plain values, whole or not at all; same content, same bytes.

    Raises:
        EosfmError: The content holds anything else.
    """
    content = _plain(content)
    # Opened here: torch writes the name of a file that it opens itself into it.
    with atomic(path) as beside, beside.open("wb") as file:
        torch.save(content, file)


def _plain(value: Any) -> Any:
    """A copy whose pickle depends on the content alone, not on which objects are shared."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_plain(entry) for entry in value)
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, str):
        return sys.intern(str(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    raise EosfmError(f"cannot store a {type(value).__name__}; tensors and plain values only")
