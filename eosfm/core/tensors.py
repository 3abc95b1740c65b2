"""Files of tensors and plain values: never code, whole or absent, equal content in equal bytes."""

import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eosfm.core.errors import EosfmError
from eosfm.core.files import atomic

DAMAGED = RuntimeError, EOFError, ValueError, LookupError, struct.error, zipfile.BadZipFile
"""What torch raises of files that are not its own."""


def read(path: Path | str) -> Any:
    """Read a file of tensors and plain values.

    Raises:
        EosfmError: The file is missing, truncated, altered, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise EosfmError(f"{path} not found; expected a file of weights")
    try:
        if zipfile.is_zipfile(path):  # torch does not look at the checksums of its own archive
            with zipfile.ZipFile(path) as archive:
                if (member := archive.testzip()) is not None:
                    raise EosfmError(f"{path} is damaged ({member}); copy or build it again")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = "Unsupported global" in str(error)
        reason = "holds code" if code else "is damaged or no file of weights"
        raise EosfmError(f"{path} {reason}; expected tensors and plain values alone") from None
    except DAMAGED as error:
        raise EosfmError(
            f"{path} is damaged or no file of weights ({type(error).__name__}); build it again"
        ) from None


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
