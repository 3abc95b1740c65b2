"""DVC parses the same YAML again and again; here it parses each text once, locks the fast way."""

import os
import pickle
from functools import lru_cache
from typing import Any


def parse_once() -> None:
    """Let DVC, in this process, take a YAML file's values from when it last held this text.

    Running one stage asks for params.yaml some twelve times, and the state of all stages 400 times,
    15 ms each; an experiment reads dvc.lock five times, 1.3 s each. The files themselves are read
    each time, so that no change is missed.

    A lock has no comments, so its values alone are read before a change too: that takes a fifth of
    the time, and DVC writes the same bytes.
    """
    from dvc.utils import serialize, strictyaml
    from dvc.utils.serialize import _yaml
    from dvc.utils.serialize._common import _load_data

    serialize.LOADERS[".yaml"] = lambda path, fs=None, **options: _load_data(
        path, parser=_parse, fs=fs, **options
    )
    strictyaml.parse_yaml = _parse  # of pipeline files and locks
    _yaml.parse_yaml_for_update = _parse_for_update


def _parse(text: str, path: str, typ: str = "safe") -> Any:
    if typ != "safe":  # comments and layout are kept as well, for a file that is to be changed
        from dvc.utils.serialize import parse_yaml

        return parse_yaml(text, path, typ)
    return pickle.loads(_parsed(text, path))  # values of the caller's own, who may change them


def _parse_for_update(text: str, path: Any) -> Any:
    return _parse(text, path, "safe" if os.fspath(path).endswith(".lock") else "rt")


@lru_cache(maxsize=8)
def _parsed(text: str, path: str) -> bytes:
    from dvc.utils.serialize import parse_yaml

    return pickle.dumps(parse_yaml(text, path))
