"""Settings in YAML, read without surprises, and what is wrong with them in one line."""

import types
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from eosfm.core.errors import EosfmError, suggest

LARGEST = 2**18
"""Bytes of a file of settings, fourteen times the project's own."""
DEEPEST = 32
"""Levels of lists and mappings within each other."""
SHOWN = 80
"""Characters of a wrong value that a line shows."""
MISREAD = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)
"""What PyYAML raises; of a number, a date or a letter that is none, it is what Python does."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice; plain YAML keeps the last one without a word.

    And nesting that would end Python's stack, a value that holds itself, and aliases of aliases, by
    which a few words grow to billions of values when they are merged or shown.
    """

    depth = 0

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.sizes: dict[Any, int] = {}  # values in each node, aliases by what they name

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > 2 * DEEPEST:  # a mapping's value and the mapping are a level each
            raise yaml.YAMLError(f"lists and mappings lie more than {DEEPEST} deep in each other")
        if self.check_event(yaml.AliasEvent):
            anchor = self.anchors.get(self.peek_event().anchor)
            if isinstance(anchor, yaml.CollectionNode) and anchor.end_mark is None:
                raise yaml.YAMLError(f"an alias in line {self._line()} stands in what it names")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node not in self.sizes:
            self.sizes[node] = 1 + sum(self.sizes[part] for part in _parts(node))
        if self.sizes[node] > LARGEST:
            raise yaml.YAMLError(f"aliases name the same again and again, {self.sizes[node]} times")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"a key in line {line} is no word")
            if key.value in keys:
                raise yaml.YAMLError(f"key {key.value!r} stands twice, again in line {line}")
            keys.add(key.value)
        return super().construct_mapping(node, deep)

    def _line(self) -> int:
        return self.peek_event().start_mark.line + 1


def _parts(node: Any) -> Iterable[yaml.Node]:
    """The nodes in a list, or the keys and values of a mapping."""
    if isinstance(node, yaml.MappingNode):
        return chain.from_iterable(node.value)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        EosfmError: It is missing, unreadable, too large or too deep, no YAML in UTF-8, or has a key
            twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise EosfmError(f"{path} not found; run from the project's folder") from None
    except OSError as error:
        raise EosfmError(f"{path} cannot be read ({error.strerror}); mend or remove it") from None
    if len(content) > LARGEST:
        raise EosfmError(
            f"{path} has more than {LARGEST} bytes; expected settings; remove the rest"
        )
    try:
        return yaml.load(content.decode(), _Loader)
    except UnicodeDecodeError as error:
        raise EosfmError(
            f"{path} has the byte {content[error.start]:#04x} at {error.start}; expected UTF-8; "
            "save it so"
        ) from None
    except MISREAD as error:
        raise EosfmError(f"{path} is not valid YAML: {error}; correct it") from None


def first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a validation in one line, with the valid keys or values."""
    fault = error.errors()[0]
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where) or "the whole"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}; {suggest(where[-1], _keys_beside(where, model))}"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    found = repr(fault["input"])
    found = found if len(found) <= SHOWN else f"{found[:SHOWN]}..."
    expected = fault["msg"].removeprefix("Value error, ")
    return f"{key} is {found}; {expected[0].lower()}{expected[1:]}"


def _keys_beside(where: list[str], model: Any) -> list[str]:
    """The keys that are valid where an unknown one was found."""
    for part in where[:-1]:
        if _is_model(model):
            model = model.model_fields[part].annotation
            if get_origin(model) is types.UnionType:  # a block, or null
                model = next(filter(_is_model, get_args(model)), None)
        else:  # a dict of entries: step from the dict to its value type
            model = get_args(model)[1]
    return list(model.model_fields) if _is_model(model) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
