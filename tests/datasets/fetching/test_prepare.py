"""The download stage's work, and how the tile stage gets at the files."""

import errno
import hashlib
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching import prepare as module
from eosfm.datasets.fetching.prepare import prepare
from eosfm.datasets.native.contents import Entry
from eosfm.datasets.native.copy import NativeCopy, native_files
from eosfm.datasets.native.manifest import check_manifest, read_manifest, save_manifest
from eosfm.simulation.images import write_png


def write_copy(root: Path, train: int = 2) -> None:
    """A copy in LoveDA's layout, blank."""
    for folder, count in (("Train", train), ("Val", 1)):
        for number in range(count):
            area = root / folder / "Urban"
            write_png(area / "images_png" / f"{number}.png", np.zeros((3, 32, 32), np.uint8))
            write_png(area / "masks_png" / f"{number}.png", np.ones((32, 32), np.uint8))


LOVEDA = get_dataset("loveda")


def copy_of(tmp_path: Path, source: str, root: Path | None = None) -> NativeCopy:
    place = str(root) if root else None
    return NativeCopy(
        "entry", "loveda", source, place, str(tmp_path / "archives"), tmp_path / "cache"
    )


def run(tmp_path: Path, source: str, root: Path | None = None, simulate=write_copy):
    """Prepare, check the manifest against the native files, and say where they were."""
    copy = copy_of(tmp_path, source, root)
    manifest = prepare(LOVEDA, copy, simulate, tmp_path / "out", a_part=True)
    with native_files(copy, tmp_path / "out") as files:
        check_manifest(read_manifest(tmp_path / "out" / "manifest.parquet"), files)
    return manifest, files


def simulated(tmp_path: Path):
    return native_files(copy_of(tmp_path, "simulated"), tmp_path / "out")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_simulated_copy_is_one_file(tmp_path: Path):
    manifest, _ = run(tmp_path, "simulated")
    assert manifest.scenes == {"train": 2, "val": 1, "test": 0}
    assert manifest.count == 6
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["files.tar", "manifest.parquet"]


def test_unpacked_copy_is_the_one_that_was_simulated(tmp_path: Path):
    write_copy(tmp_path / "plain")
    run(tmp_path, "simulated")
    with simulated(tmp_path) as files:
        unpacked = {p.relative_to(files): p.read_bytes() for p in files.rglob("*.png")}
    plain = tmp_path / "plain"
    assert unpacked == {p.relative_to(plain): p.read_bytes() for p in plain.rglob("*.png")}


def test_same_copy_gives_the_same_bytes_at_another_time(tmp_path: Path):
    def later(root: Path) -> None:
        write_copy(root)
        for path in root.rglob("*"):
            os.utime(path, (1e9, 1e9))
            path.chmod(0o700)

    digests = set()
    for number, simulate in enumerate((write_copy, later)):
        place = tmp_path / str(number)
        run(place, "simulated", simulate=simulate)
        digests.add(hashlib.sha256((place / "out" / "files.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_long_paths_are_packed(tmp_path: Path):
    deep = Path("Train", "Urban", "x" * 120, "y" * 90)

    def simulate(root: Path) -> None:
        write_copy(root)
        (root / deep).parent.mkdir()
        (root / deep).write_text("long")

    run(tmp_path, "simulated", simulate=simulate)
    with simulated(tmp_path) as files:
        assert (files / deep).read_text() == "long"


def test_unpacked_files_are_removed_whatever_happens(tmp_path: Path):
    run(tmp_path, "simulated")
    with pytest.raises(ZeroDivisionError), simulated(tmp_path) as files:
        assert (files / "Train").is_dir()
        _ = 1 / 0
    assert names(tmp_path) == ["out"]


def test_leftovers_of_a_killed_run_are_not_read(tmp_path: Path):
    run(tmp_path, "simulated")
    (tmp_path / ".out.files" / "Train" / "Urban" / "images_png").mkdir(parents=True)
    (tmp_path / ".out.files" / "Train" / "Urban" / "images_png" / "9.png").touch()
    with simulated(tmp_path) as files:
        assert names(files / "Train" / "Urban" / "images_png") == ["0.png", "1.png"]


@pytest.mark.parametrize("keep", [0, 100, 3000, -1536])
def test_damaged_copy_is_told_with_the_remedy(tmp_path: Path, keep: int):
    run(tmp_path, "simulated")
    packed = tmp_path / "out" / "files.tar"
    # The last 10,240 bytes or less are padding, so the last cut is measured from the last file.
    data = packed.read_bytes().rstrip(b"\0")
    packed.write_bytes(data[:keep])
    with (
        pytest.raises(EosfmError, match=r"files.tar .*run `dvc repro -f .*:download@entry`"),
        simulated(tmp_path),
    ):
        pytest.fail("the block ran")
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(tmp_path, "simulated")

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "extract", full)
    with (
        pytest.raises(EosfmError, match=r"files.tar cannot be unpacked .*No space left.*make room"),
        simulated(tmp_path),
    ):
        pytest.fail("the block ran")
    assert names(tmp_path) == ["out"]


def test_copy_that_lacks_a_file_is_told_with_the_remedy(tmp_path: Path):
    run(tmp_path, "simulated")
    listing = tmp_path / "out" / "manifest.parquet"
    manifest = read_manifest(listing)
    more = (*manifest.files(), Entry("Train/more.png", 1, "0" * 64))
    save_manifest(listing, manifest.dataset, manifest.scenes, more)
    with (
        pytest.raises(EosfmError, match="holds 6 files where 7 are expected; run `dvc repro -f"),
        simulated(tmp_path),
    ):
        pytest.fail("the block ran")


def test_copy_that_the_user_has_stays_where_it_is(tmp_path: Path):
    write_copy(tmp_path / "mine")
    _, files = run(tmp_path, "archive", tmp_path / "mine")
    assert files == tmp_path / "mine"
    assert names(tmp_path / "out") == ["manifest.parquet"]
    assert (tmp_path / "mine" / "Train").is_dir(), "still there after use"


def repaint(root: Path) -> None:
    """Other pixels in every image, the sizes as they were."""
    for path in root.rglob("*.png"):
        data = bytearray(path.read_bytes())
        data[-20] ^= 0xFF
        path.write_bytes(bytes(data))


@pytest.mark.parametrize("kind", ["root", "archives"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_files_that_changed_since_their_manifest_are_refused(kind, when, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fetch", lambda dataset, root, cache: write_copy(root))
    place = tmp_path / "mine" if kind == "root" else tmp_path / "archives" / "loveda"
    write_copy(place)
    run(tmp_path, "archive", place if kind == "root" else None)
    copy = copy_of(tmp_path, "archive", place if kind == "root" else None)
    read = []
    if when == "before":
        repaint(place)
    with (
        pytest.raises(EosfmError, match=r"images_png/0.png changed since .*-f .*:download@entry"),
        native_files(copy, tmp_path / "out") as files,
    ):
        read.append(files)
        repaint(files)
    assert len(read) == (when == "during")


def test_a_fault_in_the_block_is_the_one_that_is_told(tmp_path: Path):
    write_copy(tmp_path / "mine")
    run(tmp_path, "archive", tmp_path / "mine")
    copy = copy_of(tmp_path, "archive", tmp_path / "mine")
    with pytest.raises(ZeroDivisionError), native_files(copy, tmp_path / "out") as files:
        repaint(files)
        _ = 1 / 0


def test_archive_is_fetched_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "fetch", lambda dataset, root, cache: write_copy(root))
    _, files = run(tmp_path, "archive")
    assert files == tmp_path / "archives" / "loveda"


def test_earlier_output_is_replaced(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    run(tmp_path, "simulated")
    assert not (tmp_path / "out" / "old").exists()


def test_failure_leaves_nothing(tmp_path: Path):
    def broken(root: Path) -> None:
        (root / "half").write_text("")

    line = r"entry: .*Train not found.*datasets.entry.root at a complete copy.*download@entry"
    with pytest.raises(EosfmError, match=line):
        run(tmp_path, "simulated", simulate=broken)
    assert list(tmp_path.iterdir()) == []


def test_root_that_is_no_folder(tmp_path: Path):
    with pytest.raises(EosfmError, match=r"entry.root is .*absent, which is no folder"):
        run(tmp_path, "archive", tmp_path / "absent")


def test_root_that_would_not_be_read(tmp_path: Path):
    with pytest.raises(EosfmError, match=r"set datasets.entry.source=archive as well"):
        run(tmp_path, "simulated", tmp_path)
