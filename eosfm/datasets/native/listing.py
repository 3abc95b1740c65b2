"""Which scenes a copy holds: its files, folders, lists and tables, found or missed in one line."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from unicodedata import normalize

from eosfm.core.errors import EosfmError, suggest

L = TypeVar("L", bound=str)

FAULTS = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What is raised where a file does not hold what is looked for in it."""
LARGEST = 2**28
"""Most bytes that a list, a table or a label file may have."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".jp2")
"""Of images in class folders."""
UNREAD = (".bmp", ".gif", ".webp")
"""Of images that no reader opens."""


class Incomplete(EosfmError):
    """A copy lacks a file. The dataset that is read knows its name and the remedy."""


def require(path: Path, expected: str) -> Path:
    """Return ``path`` if it exists.

    Raises:
        Incomplete: It does not; the line names the path and what was expected there.
    """
    if not path.exists():
        raise Incomplete(f"{path} not found; expected {expected}")
    return path


def one_of(name: str, names: list[str] | tuple[str, ...], what: str, where: Path) -> int:
    """Position of a name among those that a dataset has.

    Raises:
        EosfmError: It has no such name; the line names the nearest and where it was found.
    """
    if name not in names:
        raise EosfmError(
            f"{where}: unknown {what} {name!r}; {suggest(name, names)}; fetch the dataset's own "
            "files again"
        )
    return names.index(name)


def matching(folder: Path, pattern: str = "*") -> list[Path]:
    """Sorted matches of a pattern below a folder, without hidden files such as macOS's ``._*``."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    )


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, but hidden ones."""
    return [path for path in matching(folder) if path.is_dir()]


def listed(folder: Path, pattern: str, expected: str) -> list[Path]:
    """The files of a folder that match a pattern, sorted.

    Raises:
        EosfmError: The folder is missing or holds none.
    """
    found = matching(require(folder, expected), pattern)
    if not found:
        raise EosfmError(f"{folder} holds no {pattern}; expected {expected}; fetch the files again")
    return found


def class_folders(folder: Path, classes: tuple[str, ...]) -> Iterator[tuple[Path, int]]:
    """Yield every image of ``folder/<class>/`` with the index of its class, class by class, sorted.

    Raises:
        EosfmError: A class has no folder or no image, one that cannot be read, or a folder is of no
            class.
    """
    require(folder, f"the class folders, {classes[0]} and so on")
    # macOS takes an umlaut apart.
    there = {normalize("NFC", path.name): path for path in folders(folder)}
    for name, found in sorted(there.items()):
        if name not in classes:
            raise EosfmError(
                f"{found} is no class; {suggest(name, classes)}; unpack the archive again"
            )
    for index, label in enumerate(classes):
        place = there.get(label, folder / label)
        images = matching(require(place, f"the images of class {label}"))
        if unread := [path for path in images if path.suffix.lower() in UNREAD]:
            raise EosfmError(
                f"{unread[0]} is of a format that is not read; expected {', '.join(SUFFIXES)}; "
                "convert such images to PNG"
            )
        paths = [path for path in images if path.suffix.lower() in SUFFIXES]
        if not paths:
            raise EosfmError(
                f"{place} holds no image ({', '.join(SUFFIXES)}); unpack the archive again"
            )
        yield from ((path, index) for path in paths)


def pair_all(images: Collection[str], others: Iterable[Path], stem: str) -> None:
    """Make sure that every companion file has its image: a lost image means a lost scene.

    Args:
        images: Names of the images that are there.
        others: Files that belong to them, for example masks.
        stem: What follows the image's name in that of such a file.

    Raises:
        EosfmError: An image is missing.
    """
    alone = [other for other in others if other.name.removesuffix(stem) not in images]
    if alone:
        more = f" ({len(alone) - 1} more lack theirs)" if alone[1:] else ""
        raise EosfmError(
            f"{alone[0]} has no image {alone[0].name.removesuffix(stem)}{more}; expected one for "
            "each such file; fetch the image, or remove this file"
        )


def read_text(path: Path) -> str:
    """The text of a file: the one way in which lists, tables and labels are read.

    Raises:
        EosfmError: It is missing, unreadable, not in UTF-8, or larger than any such file.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise EosfmError(
            f"{path} cannot be read as text ({reason}); fetch the file again"
        ) from None
    if len(content) > LARGEST:
        raise EosfmError(f"{path} has more than {LARGEST} bytes; expected text; fetch it again")
    return text


def parse(pattern: str, text: str, path: Path, expected: str) -> re.Match[str]:
    """Match a name, or a line of a list, completely.

    Raises:
        EosfmError: It is of another form.
    """
    match = re.fullmatch(pattern, text)
    if not match:
        raise EosfmError(
            f"{path}: found {text[:120]!r}; expected {expected}; fetch it again, or remove it"
        )
    return match


def read_lists(
    lists: Mapping[L, Path], pattern: str, expected: str
) -> Iterator[tuple[L, re.Match[str]]]:
    """Yield the lines of text files, each matched by a pattern, with the key of their file.

    Args:
        lists: File of each split, official or ours.
        pattern: That lines match completely, but for white space around them.
        expected: What the lines are, in words.

    Raises:
        EosfmError: A file is missing, or a line is of another form or stands there twice.
    """
    seen: dict[str, Path] = {}
    for split, path in lists.items():
        for line in map(str.strip, read_text(require(path, expected)).splitlines()):
            if not line:
                continue
            if line in seen:
                raise EosfmError(
                    f"{path} names {line}, which {seen[line].name} names too; expected each once; "
                    "fetch the lists again"
                )
            seen[line] = path
            yield split, parse(pattern, line, path, expected)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV table with a header.

    Raises:
        EosfmError: The file is no table, or has no such columns, or a row is cut or
            names a path out of the dataset's folder.
    """
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        found = rows.fieldnames or ()
        if not set(columns) <= set(found):
            raise EosfmError(
                f"{path} has the columns {', '.join(found)[:120]}; expected {', '.join(columns)}; "
                "fetch the file again"
            )
        for row in rows:
            if missing := [name for name in columns if row[name] is None]:
                raise EosfmError(
                    f"{path} has no {missing[0]} in line {rows.line_num}; expected "
                    f"{', '.join(columns)}; fetch the file again"
                )
            for name in columns:
                if row[name].startswith("/") or ".." in row[name].split("/"):
                    raise EosfmError(
                        f"{path} has {row[name][:120]!r} as {name}, which leads out of the "
                        "dataset's folder; fetch the file again"
                    )
            yield row
    except csv.Error as error:
        raise EosfmError(f"{path} is no table ({error}); fetch the file again") from None


@contextmanager
def expecting(path: Path, expected: str, *faults: type[Exception]) -> Iterator[None]:
    """Say in one line that a file does not hold what is looked for in it.

    Args:
        path: The file.
        expected: What is looked for.
        faults: What else the file's parser raises.

    Raises:
        EosfmError: A value is missing, or of another type or form.
    """
    known: tuple[type[Exception], ...] = (*FAULTS, *faults)
    try:
        yield
    except known as error:
        reason = " ".join(repr(error).split())[:120]
        raise EosfmError(
            f"{path} is not the file expected ({reason}); expected {expected}; fetch it again"
        ) from None
