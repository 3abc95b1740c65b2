"""Members of tar archives land where they should, with Pythons that know filters and without."""

import io
import tarfile
from pathlib import Path

import pytest

from eosfm.core.tars import extract


@pytest.fixture(params=["filters", "none"])
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tarfile of this Python, or of 3.11.2, which Debian 12 has."""
    ours = tarfile.TarFile.extract

    def theirs(self: tarfile.TarFile, member: tarfile.TarInfo, path: Path, set_attrs: bool) -> None:
        ours(self, member, path, set_attrs)

    if request.param == "none":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
        monkeypatch.setattr(tarfile.TarFile, "extract", theirs)


def unpack(folder: Path, name: str, kind: bytes = tarfile.REGTYPE) -> None:
    """Unpack an archive of one member."""
    file = io.BytesIO()
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, 2 * (kind == tarfile.REGTYPE), "/etc/passwd"
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.addfile(member, io.BytesIO(b"ab"))
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        extract(tar, tar.getmembers()[0], folder)


@pytest.mark.usefixtures("python")
def test_a_file_lands_below_the_folder(tmp_path: Path) -> None:
    unpack(tmp_path, "deep/file.txt")
    assert (tmp_path / "deep/file.txt").read_bytes() == b"ab"


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../out.txt", tarfile.REGTYPE),
        ("deep/../../out.txt", tarfile.REGTYPE),
        ("/tmp/out.txt", tarfile.REGTYPE),
        ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
    ],
)
def test_what_would_land_elsewhere_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    with pytest.raises(tarfile.TarError, match="is no file or folder below it"):
        unpack(tmp_path / "inside", name, kind)
    assert not list(tmp_path.rglob("*"))
