"""Files without a published checksum: trusted when first fetched, and held to that."""

import gzip
import hashlib
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.fetch import fetch
from tests.datasets.fetching.test_fetch import BYTES, dataset
from tests.fixtures.server import Server

LINE = f"{hashlib.sha256(BYTES).hexdigest()}  a.zip\n"


@pytest.fixture
def archive(server: Server):
    return server.describe(BYTES, checksum=None, extract=None)


def test_the_first_file_is_written_down(archive, tmp_path: Path):
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path / "git")
    assert (tmp_path / "git" / "toy.sha256").read_text() == LINE


def test_files_with_a_checksum_are_not(server: Server, tmp_path: Path):
    fetch(dataset(server.describe(BYTES, extract=None)), tmp_path / "toy", trusted=tmp_path / "git")
    assert not (tmp_path / "git").exists()


def test_another_file_is_refused_everywhere_from_then_on(archive, server: Server, tmp_path: Path):
    fetch(dataset(archive), tmp_path / "here" / "toy", trusted=tmp_path / "git")
    server.files["/a.zip"] = BYTES[:-1] + b"?"
    with pytest.raises(EosfmError, match=r"toy.sha256 has the checksum of the first a.zip"):
        fetch(dataset(archive), tmp_path / "there" / "toy", trusted=tmp_path / "git")
    assert not (tmp_path / "there" / "toy" / "a.zip").exists()
    (tmp_path / "git" / "toy.sha256").unlink()
    fetch(dataset(archive), tmp_path / "there" / "toy", trusted=tmp_path / "git")
    assert (tmp_path / "git" / "toy.sha256").read_text() != LINE


def test_who_shares_the_folder_trusts_the_same(archive, server: Server, tmp_path: Path):
    for user in ("one", "two"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path / user)
        assert (tmp_path / user / "toy.sha256").read_text() == LINE
    assert len(server.asked) == 1


def test_what_was_fetched_must_be_what_is_trusted(archive, server: Server, tmp_path: Path):
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "toy.sha256").write_text(f"{'0' * 64}  a.zip\n")
    with pytest.raises(EosfmError, match=rf"a.zip has sha256 \w+ where {'0' * 64} is expected"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path / "two")


@pytest.mark.parametrize("text", ["a.zip\n", "md5 a.zip\n", "<<<<<<< HEAD\n"])
def test_a_line_that_is_none_is_told(archive, tmp_path: Path, text: str):
    (tmp_path / "toy.sha256").write_text(LINE + text)
    with pytest.raises(EosfmError, match=r"toy.sha256 has the line .* two spaces .* restore it"):
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)


def test_a_server_that_is_away_does_not_put_trust_in_question(archive, server, tmp_path: Path):
    (tmp_path / "toy.sha256").write_text(LINE)
    server.files.clear()
    with pytest.raises(EosfmError, match=r"answered 404") as caught:
        fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert "delete its line" not in str(caught.value)


def test_a_record_without_a_checksum_counts_for_nothing(archive, server, tmp_path: Path):
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    (tmp_path / "toy.sha256").unlink()
    record = tmp_path / "toy" / ".fetched" / "a.zip.gz"
    checksum = LINE.split()[0]
    text = gzip.decompress(record.read_bytes()).decode()
    first, rest = text.split("\n", 1)
    old = first.replace(f"sha256:{checksum}", "None")
    record.write_bytes(gzip.compress(f"{old}\n{rest}".encode()))
    fetch(dataset(archive), tmp_path / "toy", trusted=tmp_path)
    assert (tmp_path / "toy.sha256").read_text() == LINE
