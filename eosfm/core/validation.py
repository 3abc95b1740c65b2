"""Settings in YAML, read as DVC reads them, and what is wrong with them in one line."""

import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from eosfm.core.errors import EosfmError, suggest

LARGEST = 2**18
"""Bytes of a file of settings, fourteen times the project's own."""
DEEPEST = 32
"""Levels of lists and mappings within each other."""
SHOWN = 80
"""Characters of a wrong value that a line shows."""
MISREAD = (YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError)
"""What ruamel.yaml raises, with Python's own errors for malformed numbers, dates and characters."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file with DVC's own parser, so that stages read what DVC tracks.

    Other parsers read ``010``, ``1:0``, ``1e-4`` or ``yes`` differently, as YAML 1.1 did.

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
        text = content.decode()
        _refuse_growth(text)
        return YAML(typ="safe").load(text)
    except UnicodeDecodeError as error:
        raise EosfmError(
            f"{path} has the byte {content[error.start]:#04x} at {error.start}; expected UTF-8; "
            "save it so"
        ) from None
    except MISREAD as error:
        raise EosfmError(f"{path} is not valid YAML: {_reason(error)}; correct it") from None


def _refuse_growth(text: str) -> None:
    """Refuse YAML that expands beyond any limit, before it is loaded.

    Raises:
        YAMLError: It is nested so deep that the stack would overflow, a value contains itself, or
            aliases of aliases would expand to too many values.
    """
    open_anchors: list[str | None] = []
    sizes = [0]  # values in each open list or mapping, aliases by what they name
    named: dict[str | None, int] = {}
    for event in YAML(typ="safe").parse(text):
        line = event.start_mark.line + 1
        if isinstance(event, CollectionStartEvent):
            open_anchors.append(event.anchor)
            sizes.append(1)
            if len(open_anchors) > DEEPEST:
                raise YAMLError(
                    f"line {line}: more than {DEEPEST} lists and mappings in each other"
                )
            continue
        if isinstance(event, AliasEvent):
            if event.anchor in open_anchors:
                raise YAMLError(f"line {line}: alias {event.anchor} stands in what it names")
            size = named.get(event.anchor, 1)
        elif isinstance(event, CollectionEndEvent):
            size = sizes.pop()
            named[open_anchors.pop()] = size
        elif isinstance(event, ScalarEvent):
            size = named[event.anchor] = 1
        else:
            continue
        sizes[-1] += size
        if sizes[-1] > LARGEST:
            raise YAMLError(f"line {line}: aliases name the same again and again")


def _reason(error: Exception) -> str:
    """What a parser says, where it says it, in one line."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    words = " ".join(str(problem or error).split())
    words = words if len(words) <= 2 * SHOWN else f"{words[: 2 * SHOWN]}..."
    return words if mark is None else f"line {mark.line + 1}: {words}"


def first_fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a validation in one line, with the valid keys or values.

    An unknown key first: what is missing may be what it was meant for.
    """
    faults = [(fault, *_place(fault["loc"], model)) for fault in error.errors()]
    unknown = [found for found in faults if found[0]["type"] == "extra_forbidden"]
    fault, where, beside = (unknown or faults)[0]
    # Of what may be a word or a block, the block's own fault says more.
    for other, inner, around in () if unknown else faults:
        if len(inner) > len(where) and inner[: len(where)] == where:
            fault, where, beside = other, inner, around
    key = ".".join(where) or "the whole"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}; {suggest(where[-1], beside)}"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    found = repr(fault["input"])
    found = found if len(found) <= SHOWN else f"{found[:SHOWN]}..."
    expected = fault["msg"].removeprefix("Value error, ")
    return f"{key} is {found}; {expected[0].lower()}{expected[1:]}"


def _place(location: Sequence[int | str], model: Any) -> tuple[list[str], list[str]]:
    """Keys that lead to a fault, without pydantic's names of a union's members; valid last keys."""
    keys: list[str] = []
    beside: list[str] = []
    for part in location:
        if get_origin(model) in (Union, types.UnionType):
            members = [member for member in get_args(model) if member is not types.NoneType]
            if len(members) > 1:
                model = next((m for m in members if getattr(m, "__name__", "") == part), None)
                continue
            (model,) = members  # a block, or null
        keys.append(str(part))
        beside = list(model.model_fields) if _is_model(model) else []
        if _is_model(model):
            field = model.model_fields.get(part)
            model = None if field is None else field.annotation
        else:  # a dict of entries: step from the dict to its value type
            model = get_args(model)[1] if get_origin(model) is dict else None
    return keys, beside


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
