"""Settings in YAML, read without surprises, and what is wrong with them in one line."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from eosfm.core.errors import EosfmError, suggest


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice; plain YAML keeps the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if key.value in keys:
                line = key.start_mark.line + 1
                raise yaml.YAMLError(f"key {key.value!r} stands twice, again in line {line}")
            keys.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        EosfmError: It is missing, no YAML, or has a key twice.
    """
    try:
        return yaml.load(path.read_text(), _Loader)
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run from the project's folder") from None
    except yaml.YAMLError as error:
        raise EosfmError(f"{path} is not valid YAML: {error}") from None


def first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a validation in one line, with the valid keys or values."""
    fault = error.errors()[0]
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}; {suggest(where[-1], _keys_beside(where, model))}"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    return f"{key} is {fault['input']!r}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _keys_beside(where: list[str], model: Any) -> list[str]:
    """The keys that are valid where an unknown one was found."""
    for part in where[:-1]:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[part].annotation
        else:  # a dict of entries: step from the dict to its value type
            model = model.__args__[1]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return list(model.model_fields)
    return []
