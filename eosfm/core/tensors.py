"""Files of tensors and plain values: never code, whole or absent, equal content in equal bytes."""

import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic

DAMAGED = RuntimeError, EOFError, ValueError, LookupError, struct.error, zipfile.BadZipFile
"""What torch raises of files that are not its own."""


def read(path: Path | str, mapped: bool = False) -> Any:
    """Read a file of tensors and plain values.

    Args:
        path: The file.
        mapped: Leave the tensors in the file, mapped: for those that look at each once.

    Raises:
        EosfmError: The file is missing, truncated, altered, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise EosfmError(f"{path} not found; expected a file of weights")
    try:
        if not zipfile.is_zipfile(path):
            return torch.load(path, map_location="cpu", weights_only=True)
        with ThreadPoolExecutor(1) as beside:  # summing up frees the GIL
            member = beside.submit(_damaged, path)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        if member.result() is not None:
            raise EosfmError(f"{path} is damaged ({member.result()}); copy or build it again")
        return content
    except pickle.UnpicklingError as error:
        code = "Unsupported global" in str(error)
        reason = "holds code" if code else "is damaged or no file of weights"
        raise EosfmError(f"{path} {reason}; expected tensors and plain values alone") from None
    except DAMAGED as error:
        raise EosfmError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); build it again"
        ) from None


def _damaged(path: Path) -> str | None:
    """The first member that differs from its checksum; torch does not look at these."""
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def write(path: Path | str, content: Any) -> None:
    """Write tensors and plain values, whole or not at all; same content, same bytes.

    Raises:
        EosfmError: The content holds anything else.
    """
    buffer = io.BytesIO()  # torch writes a file's own name into it, but none for a buffer
    torch.save(_plain(content), buffer)
    with atomic(path) as beside:
        beside.write_bytes(buffer.getbuffer())


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
