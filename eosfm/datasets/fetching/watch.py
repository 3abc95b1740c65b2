"""Summaries of the files below users' dataset roots, written for DVC to track."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from eosfm.core.files import atomic
from eosfm.datasets.native.contents import CACHE, Entry, list_files


def watch_roots(
    roots: Mapping[str, Path | None],
    sources: Mapping[str, str],
    out: Path,
    cache: Path = CACHE,
    parts: Collection[str] = (),
) -> None:
    """Write each dataset's source, and what lies below its ``root``, to ``out/<name>.json``.

    The bytes depend on the files alone. A root that is no folder is recorded as such: the stage
    that needs it reports it, and other datasets are not held up.

    Args:
        roots: A folder for each name; None where a dataset has none.
        sources: Of each name, ``simulated`` or ``archive``.
        out: Folder of the files written.
        cache: Folder that remembers hashes.
        parts: Names whose scene counts are left unchecked.

    Raises:
        EosfmError: A link below a root leads nowhere, or a file cannot be read.
    """
    for name, root in roots.items():
        facts: object = None
        if root is not None:
            facts = "no folder"
            if root.expanduser().is_dir():
                facts = _facts(list_files(root.expanduser(), cache))
        said = {"source": sources[name], "root": facts}
        if name in parts:
            said["scenes"] = "any"
        with atomic(out / f"{name}.json") as beside:
            beside.write_text(json.dumps(said) + "\n")


def _facts(files: Iterable[Entry]) -> dict[str, object]:
    count, size, digest = 0, 0, hashlib.sha256()
    for entry in files:
        count, size = count + 1, size + entry.bytes
        digest.update(json.dumps(entry).encode())
    return {"files": count, "bytes": size, "sha256": digest.hexdigest()}
