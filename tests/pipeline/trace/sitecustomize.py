"""Imported by every Python that has this folder on its path: records which parameters it reads.

With EOSFM_TRACE set to a folder, each stage leaves a file there with the dotted keys of the leaf
parameters that it read.
"""

import atexit
import os
import sys
from pathlib import Path


def watch(folder: Path) -> None:
    from pydantic import BaseModel

    from eosfm import params as module

    names: dict[int, str] = {}
    read: set[str] = set()
    plain = BaseModel.__getattribute__

    def name_all(model: BaseModel, prefix: str) -> None:
        names[id(model)] = prefix
        for field in type(model).model_fields:
            value = plain(model, field)
            key = f"{prefix}.{field}" if prefix else field
            if isinstance(value, BaseModel):
                name_all(value, key)
            elif isinstance(value, dict):
                for name, entry in value.items():
                    if isinstance(entry, BaseModel):
                        name_all(entry, f"{key}.{name}")

    def recording(self, attribute):
        value = plain(self, attribute)
        prefix = names.get(id(self))
        leaf = attribute in type(self).model_fields and not isinstance(value, BaseModel | dict)
        if prefix is not None and leaf:
            read.add(f"{prefix}.{attribute}" if prefix else attribute)
        return value

    def load(path="params.yaml"):
        params = original(path)
        keep.append(params)
        name_all(params, "")
        module.Frozen.__getattribute__ = recording
        return params

    keep: list[BaseModel] = []
    original, module.load_params = module.load_params, load
    target = folder / "-".join([Path(sys.argv[0]).stem, *sys.argv[1:]])
    atexit.register(lambda: target.write_text("\n".join(sorted(read))))


if os.environ.get("EOSFM_TRACE") and sys.argv[0:1] != [""]:
    watch(Path(os.environ["EOSFM_TRACE"]))
