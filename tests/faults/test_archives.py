"""What archives hold that they should not: refused in a line, and nothing of it is left.

Each archive comes without a published checksum, so that it is as new as its server. Afterwards the
server has the right one, and a plain second run must bring it.
"""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching import members
from eosfm.datasets.fetching.fetch import fetch
from tests.faults.test_downloads import dataset, files, impatient  # noqa: F401
from tests.fixtures.server import Server

GOOD = {"data/a.txt": b"one", "data/deep/b.txt": b"two" * 999}
NOISE = bytes(range(256)) * 40


def zipped(*named: tuple[str | zipfile.ZipInfo, bytes], method: int = 8) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in named:
            file.writestr(name, content)
    return buffer.getvalue()


def tarred(*named: tuple[str, bytes], mode: str = "w:gz", **facts) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, content in named:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in facts.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MAKERS = {
    "zip": zipped,
    "tar": partial(tarred, mode="w"),
    "gz": tarred,
    "tgz": tarred,
    "xz": partial(tarred, mode="w:xz"),
    "bz2": partial(tarred, mode="w:bz2"),
}


def patched(data: bytes, offset: int, value: int) -> bytes:
    """Set a 16-bit field of the first entry of a zip's directory, and of the file it is of."""
    entry = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    changed[entry + offset : entry + offset + 2] = struct.pack("<H", value)
    changed[offset - 2 : offset] = struct.pack("<H", value)
    return bytes(changed)


def linked_zip() -> bytes:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return zipped((info, b"/etc/passwd"))


def wrong_sum() -> bytes:
    data = bytearray(zipped(("a.bin", NOISE), method=0))
    data[len(data) // 2] ^= 1
    return bytes(data)


def long_header() -> bytes:
    """A tar whose member has a name of so many megabytes."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)


def sparse() -> bytes:
    """A tar whose member is said to be of a terabyte, all of it a hole."""
    block = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = tarfile.itn(1 << 40, 12, tarfile.GNU_FORMAT)
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


@dataclass(frozen=True)
class Case:
    """An archive that is refused.

    Attributes:
        name: What is wrong.
        filename: What it is called.
        make: Its bytes.
        line: What the error says.
    """

    name: str
    filename: str
    make: Callable[[], bytes]
    line: str


OUTSIDE = r"member '.*' would land outside of the folder; not unpacked"
ODD = r"has a name with characters that no file of a dataset has"
LINK = r"is a link or device; not unpacked"
NAMES = {
    "above": ("../evil.txt", OUTSIDE),
    "above after a while": ("a/b/../../../evil.txt", OUTSIDE),
    "absolute": ("/tmp/evil.txt", OUTSIDE),
    "drive": ("C:/evil.txt", OUTSIDE),
    "backslashes": ("..\\evil.txt", ODD),
    "newline": ("a\nb.txt", ODD),
    "escape": ("\x1b[2Ja.txt", ODD),
    "reserved": (".fetched/other.zip.gz", r"has a name that is reserved"),
    "too long": ("a" * 300, r"has a name too long for a file"),
}
CASES = [
    *(
        Case(f"{kind}: name {name}", file, lambda make=make, path=path: make((path, b"x")), line)
        for name, (path, line) in NAMES.items()
        for kind, file, make in (("zip", "a.zip", zipped), ("tar", "a.tar.gz", tarred))
    ),
    Case("zip: no member", "a.zip", zipped, r"holds no file"),
    Case("tar: no member", "a.tar.gz", tarred, r"holds no file"),
    Case("zip: folders alone", "a.zip", lambda: zipped(("a/", b"")), r"holds no file"),
    Case("zip: a name twice", "a.zip", lambda: zipped(("a", b"1"), ("./a", b"2")), r"'./a' twice"),
    Case("tar: a name twice", "a.tar.gz", lambda: tarred(("a", b"1"), ("a", b"2")), r"'a' twice"),
    Case("zip: file as folder", "a.zip", lambda: zipped(("a", b"1"), ("a/b", b"")), r"is damaged"),
    Case("tar: file as folder", "a.tgz", lambda: tarred(("a", b"1"), ("a/b", b"")), r"is damaged"),
    Case("zip: encrypted", "a.zip", lambda: patched(zipped(("a", NOISE)), 8, 1), r"is encrypted"),
    Case(
        "zip: Deflate64", "a.zip", lambda: patched(zipped(("a", NOISE)), 10, 9),
        r"is compressed by method 9, which Python lacks",
    ),
    Case("zip: link", "a.zip", linked_zip, LINK),
    Case("tar: link", "a.tgz", lambda: tarred(("a", b""), type=b"2", linkname="/etc"), LINK),
    Case("tar: link within", "a.tgz", lambda: tarred(("a", b""), type=b"2", linkname="a"), LINK),
    Case("tar: hard link", "a.tgz", lambda: tarred(("a", b""), type=b"1", linkname="b"), LINK),
    Case("tar: device", "a.tgz", lambda: tarred(("a", b""), type=b"3"), LINK),
    Case("tar: pipe", "a.tgz", lambda: tarred(("a", b""), type=b"6"), LINK),
    Case("zip: cut", "a.zip", lambda: zipped(("a", NOISE))[:-30], r"is damaged"),
    Case("zip: wrong sum", "a.zip", wrong_sum, r"is damaged \(Bad CRC-32"),
    Case("tar: cut", "a.tar", lambda: tarred(("a", NOISE), mode="w")[:4000], r"is damaged"),
    Case("tar: cut when packed", "a.tgz", lambda: tarred(("a", NOISE))[:-20], r"is damaged"),
    Case("tar: no tar", "a.tar", lambda: NOISE, r"is damaged"),
    Case("xz: cut", "a.tar.xz", lambda: tarred(("a", NOISE), mode="w:xz")[:-30], r"is damaged"),
    Case("bz2: cut", "a.tar.bz2", lambda: tarred(("a", NOISE), mode="w:bz2")[:-9], r"is damaged"),
    Case("tar: header of gigabytes", "a.tar", long_header, r"is damaged \(a header of 8589934592"),
    Case("tar: hole of a terabyte", "a.tar", sparse, r"unpacks to more than 200 times its size"),
    Case("zip: bomb", "a.zip", lambda: zipped(("a", bytes(2_000_000))), r"more than 200 times"),
    Case("tar: bomb", "a.tgz", lambda: tarred(("a", bytes(2_000_000))), r"more than 200 times"),
    Case(
        "tar: bomb of names", "a.tgz", lambda: tarred(*((f"{n}", b"") for n in range(3000))),
        r"more than 200 times",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_archives(case: Case, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(members, "FLOOR", 1_000_000)
    root, trusted = tmp_path / "toy", tmp_path / "trusted"
    path = f"/{case.filename}"
    archive = server.describe(case.make(), path, checksum=None)
    with pytest.raises(EosfmError, match=case.line) as caught:
        fetch(dataset(archive), root, trusted=trusted)
    assert not any(char < " " for char in str(caught.value))
    assert files(tmp_path).keys() == {f"toy/{case.filename}.refused"}
    server.files[path] = MAKERS[path.rpartition(".")[2]](*GOOD.items())
    fetch(dataset(archive), root, trusted=trusted)
    found = files(root)
    assert found.pop(f".fetched/{case.filename}.gz") and found == GOOD
    assert trusted.exists()


def test_a_published_archive_that_is_damaged_stays_to_be_looked_at(server: Server, tmp_path: Path):
    archive = server.describe(wrong_sum())
    with pytest.raises(EosfmError, match=r"is damaged .*; delete it to fetch it again"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert files(tmp_path).keys() == {"toy/a.zip"}
