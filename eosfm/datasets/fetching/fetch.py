"""A dataset's archives on disk: downloaded, unpacked, and never twice."""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError

from eosfm.core.errors import EosfmError
from eosfm.datasets.fetching.download import download
from eosfm.datasets.fetching.members import BadArchive
from eosfm.datasets.fetching.record import FOLDER, Record
from eosfm.datasets.fetching.traffic import Traffic
from eosfm.datasets.fetching.trust import TRUSTED, Trust
from eosfm.datasets.fetching.unpack import unpack
from eosfm.datasets.native.archives import by_hand
from eosfm.datasets.native.contents import hash_file, list_names
from eosfm.datasets.native.spec import Archive, Dataset, Source

CONNECTIONS = 4
"""Archives of a dataset that are fetched at the same time."""
SLACK = 2
"""How many times larger than announced a dataset's file may be; sizes in GB are rounded."""
GB = 1_000_000_000


def fetch(dataset: Dataset, root: Path, cache: Path | None = None, trusted: Path = TRUSTED) -> None:
    """Download and unpack a dataset's archives below ``root``, except those that are complete.

    Waits for another process, perhaps another user's, that fetches the same. If one archive fails,
    the others are still fetched.

    Args:
        dataset: The dataset.
        root: Folder of its files.
        cache: Folder that remembers hashes (see :mod:`eosfm.datasets.native.contents`).
        trusted: Folder of the checksums that were trusted on first use (see
            :mod:`eosfm.datasets.fetching.trust`).

    Raises:
        EosfmError: A person must fetch it, the disk is too small, full or read-only, or no server
            gave the file that the spec describes.
    """
    source = dataset.source
    if request := by_hand(dataset):
        raise EosfmError(f"{request} (`eosfm check` lists all that must be fetched by hand)")
    trust = Trust(trusted / f"{root.name}.sha256")
    try:
        if source.download is not None:
            _fetch_by_program(dataset, source.download, root, cache)
        elif _missing(source, root, cache, trust):
            with _alone(root, dataset.name):
                missing = _missing(source, root, cache, trust)
                if missing:  # still, after who was there before
                    _fetch_archives(dataset, missing, root, cache, trust)
    except EosfmError as error:
        raise EosfmError(f"{dataset.name}: {error} (see {source.homepage})") from None
    except OSError as error:
        place, why = error.filename or root, error.strerror or error
        raise EosfmError(
            f"{dataset.name}: {place} cannot be written ({why}); make "
            "room or give the right to write, or set `archives` in params.yaml to another folder; "
            "run again to go on where it stopped"
        ) from None


@contextmanager
def _alone(root: Path, name: str) -> Iterator[None]:
    """Hold the lock of ``root``, after waiting for others; it is freed if its process dies."""
    from filelock import FileLock, Timeout

    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / FOLDER / "lock", mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"download: another process fetches {name} to {root}; waiting", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _record(archive: Archive, root: Path, cache: Path | None) -> Record:
    return Record(root, archive.filename, archive.url, cache)


def _missing(source: Source, root: Path, cache: Path | None, trust: Trust) -> list[Archive]:
    """Archives that are still to be fetched, each with the checksum that is known of it."""
    known, missing = trust.checksums(), []
    for archive in source.files():
        checksum = archive.checksum or known.get(archive.filename)
        found = _record(archive, root, cache).found()
        if found in (None, "None") or checksum not in (None, found):  # "None" is of an old record
            missing.append(replace(archive, checksum=checksum))
            continue
        if archive.extract is not None:  # of a run that was killed between the record and this
            (root / archive.filename).unlink(missing_ok=True)
        if checksum is None:  # fetched by somebody with whom the folder is shared
            trust.add(archive.filename, found)
    return missing


def _fetch_archives(
    dataset: Dataset, missing: list[Archive], root: Path, cache: Path | None, trust: Trust
) -> None:
    """Fetch several archives at a time, and note each that is done."""
    whole = round(dataset.source.size_gb * GB)
    rest = whole - sum(archive.size or 0 for archive in missing)
    share = max(rest, 0) // len(missing)  # of each whose size is not known: a start
    expected = {archive.filename: archive.size or share for archive in missing}
    published = {archive.filename for archive in dataset.source.files() if archive.checksum}
    faults = []
    with Traffic(dataset.name, expected) as traffic, ThreadPoolExecutor(CONNECTIONS) as pool:
        running: dict[Future[str], Archive] = {}
        for archive in missing:
            limit = archive.size or SLACK * whole + GB
            running[pool.submit(_fetch_archive, archive, root, traffic, limit)] = archive
        try:
            for done in as_completed(running):
                archive = running[done]
                try:
                    checksum = done.result()
                except EosfmError as error:
                    faults.append(f"{error}{_origin(error, archive, published, trust)}")
                    continue
                if archive.filename not in published:
                    trust.add(archive.filename, checksum)
                with _left(archive, root) as names:
                    _record(archive, root, cache).write(names, checksum)
                if archive.extract is not None:  # last: it would come again
                    (root / archive.filename).unlink()
        except BaseException:
            traffic.stop()
            pool.shutdown(cancel_futures=True)
            raise
    if faults:
        raise EosfmError("; ".join(faults))


def _origin(error: EosfmError, archive: Archive, published: set[str], trust: Trust) -> str:
    """Where a mismatched checksum is from, if it was trusted on first use; else empty."""
    expected = (archive.checksum or "").rpartition(":")[2]
    if archive.filename in published or not expected or expected not in str(error):
        return ""
    return (
        f"; {trust.path} has the checksum of the first {archive.filename} that was fetched: delete "
        "its line there if the publisher really gives another file now"
    )


def _fetch_archive(archive: Archive, root: Path, traffic: Traffic, limit: int) -> str:
    """Fetch and unpack one archive; its checksum."""
    path = download(archive, root, traffic, limit)
    checksum = archive.checksum or f"sha256:{hash_file(path, progress=True)}"
    if archive.extract is None:
        return checksum
    traffic.wait(0)  # unpacking takes long, and somebody may have stopped the run meanwhile
    refused = path.with_name(f"{path.name}.refused")
    try:
        unpack(path, root / archive.extract, _names(archive, root))
    except BadArchive:
        if archive.checksum is None:  # it may be the wrong file: the next run fetches it anew
            path.replace(refused)
        raise
    refused.unlink(missing_ok=True)
    return checksum


def _names(archive: Archive, root: Path) -> Path:
    """Where the names of an archive's files are, until they are noted in its record."""
    return root / FOLDER / f"{archive.filename.replace('/', '__')}.names"


@contextmanager
def _left(archive: Archive, root: Path) -> Iterator[Iterator[str]]:
    """Paths below ``root`` of the files that an archive left, sorted."""
    if archive.extract is None:
        yield iter([archive.filename])
        return
    names = _names(archive, root)
    with names.open() as lines:
        yield ((Path(archive.extract) / json.loads(line)).as_posix() for line in lines)
    names.unlink()


def _fetch_by_program(
    dataset: Dataset, run: Callable[[Path], None], root: Path, cache: Path | None
) -> None:
    """Let torchgeo download; the program that it calls resumes where it stopped."""
    from torchgeo.datasets import DependencyNotFoundError

    record = Record(root, "download", "torchgeo", cache)
    if record.found() is not None:
        return
    with _alone(root, dataset.name):
        if record.found() is not None:
            return
        try:
            run(root)
        except DependencyNotFoundError as error:
            raise EosfmError(
                f"{str(error).rstrip('.')}; put it on the PATH and run again"
            ) from None
        except CalledProcessError as error:
            raise EosfmError(
                f"{Path(error.cmd[0]).name} ended with status {error.returncode}; read what it "
                "said above, then run again to go on where it stopped"
            ) from None
        record.write(list_names(root), "none")
