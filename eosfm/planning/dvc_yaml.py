"""DVC's YAML files, each text parsed once and each file written whole.

DVC parses params.yaml for every parameter of every stage. Where its process is stopped while it
writes a lock, that is cut off.
"""

import io
import os
import pickle
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from eosfm.core.files import atomic


def patch_yaml() -> None:
    """Let DVC, in this process, read and write YAML files as said below.

    - **Values** are taken from when it last held the same text. Running one stage asks for
      params.yaml some twelve times, and the state of all stages 400 times, 15 ms each; an
      experiment reads dvc.lock five times, 1.3 s each. The files themselves are read each time, so
      that no change is missed.
    - **A lock** has no comments, so its values alone are read before a change too: that takes a
      fifth of the time, and DVC writes the same bytes.
    - **A parameter** is looked up by its path; DVC compares the path with that of every value in
      the file, which takes a quarter of its time for a stage.
    - **A file that is written** takes the place of the old one once it is whole.
    """
    import dpath
    from dvc.utils import serialize, strictyaml
    from dvc.utils.serialize import _common, _yaml

    serialize.LOADERS[".yaml"] = lambda path, fs=None, **options: _common._load_data(
        path, parser=_parse, fs=fs, **options
    )
    strictyaml.parse_yaml = _parse  # of pipeline files and locks
    dpath.get = _straight(getattr(dpath.get, "__wrapped__", dpath.get))
    _yaml.parse_yaml_for_update = _parse_for_update
    _common._dump_data = _yaml._dump_data = _dump_whole


def _parse(text: str, path: str, typ: str = "safe") -> Any:
    if typ != "safe":  # comments and layout are kept as well, for a file that is to be changed
        from dvc.utils.serialize import parse_yaml

        return parse_yaml(text, path, typ)
    return pickle.loads(_parsed(text, path))  # values of the caller's own, who may change them


def _straight(get: Callable[..., Any]) -> Callable[..., Any]:
    """The library's own, for paths that are not keys of one mapping after the other."""

    @wraps(get)
    def found(values: Any, path: str, separator: str = "/", **told: Any) -> Any:
        here = values
        for key in path.split(separator):
            if not isinstance(here, dict) or key not in here:
                return get(values, path, separator=separator, **told)
            here = here[key]
        return here

    return found


def _parse_for_update(text: str, path: Any) -> Any:
    return _parse(text, path, "safe" if os.fspath(path).endswith(".lock") else "rt")


def _dump_whole(path: Any, data: Any, dumper: Any, fs: Any = None, **options: Any) -> None:
    """As DVC's own, which opens the file first; all that it writes is on this machine's disks."""
    text = io.StringIO()
    dumper(data, text, **options)
    with atomic(path) as beside:
        beside.write_text(text.getvalue(), encoding="utf-8", newline="")


@lru_cache(maxsize=8)
def _parsed(text: str, path: str) -> bytes:
    from dvc.utils.serialize import parse_yaml

    return pickle.dumps(parse_yaml(text, path))
