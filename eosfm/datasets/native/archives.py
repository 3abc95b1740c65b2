"""What to fetch: archives as torchgeo's classes describe them, and what a person must do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eosfm.datasets.native.spec import Archive, Dataset

DRIVE = "https://drive.google.com/file/d/"


def of_torchgeo(name: str, *splits: str) -> Callable[[], tuple[Archive, ...]]:
    """``Source.archives`` of a dataset whose torchgeo class tells all.

    Args:
        name: Class in ``torchgeo.datasets``; it is imported when the archives are asked for.
        splits: Where each split has an archive of its own: those that are wanted.
    """

    def archives() -> tuple[Archive, ...]:
        import torchgeo.datasets

        cls = getattr(torchgeo.datasets, name)
        if not splits:
            filename = getattr(cls, "filename", cls.url.rpartition("/")[2])
            url = cls.url + filename if cls.url.endswith("/") else cls.url
            return (archive(url, filename, cls.md5),)
        facts = getattr(cls, "metadata", None) or cls.info_dict
        return tuple(
            archive(facts[split]["url"], facts[split]["filename"], facts[split]["md5"])
            for split in splits
        )

    return archives


def archive(url: str, filename: str, md5: str | None, **options: Any) -> Archive:
    """An archive from torchgeo's facts.

    Args:
        url: Its address. Google Drive's page of a file becomes the address that serves large
            files without asking first.
        filename: Name on disk.
        md5: Hexadecimal checksum, where published.
        options: Further attributes of :class:`Archive`.
    """
    if url.startswith(DRIVE):
        url = (
            f"https://drive.usercontent.google.com/download?id={url.removeprefix(DRIVE)}"
            "&export=download&confirm=t"
        )
    return Archive(url, filename, f"md5:{md5}" if md5 else None, **options)


@contextmanager
def hidden(*files: Path) -> Iterator[None]:
    """Hide files for a time; one that has not come anew by then is put back.

    After a kill, the next call finds what that one had hidden.
    """
    places = {file: file.with_name(f".{file.name}.hidden") for file in files}
    for file, place in places.items():
        if file.exists():
            file.replace(place)
    try:
        yield
    finally:
        for file, place in places.items():
            if file.exists():
                place.unlink(missing_ok=True)
            elif place.exists():
                place.replace(file)


def by_hand(dataset: Dataset) -> str | None:
    """What a person must do where no program can fetch a dataset; None where one can.

    Args:
        dataset: The dataset; its name is that of the entry in params.
    """
    source = dataset.source
    if source.archives or source.download is not None:
        return None
    return (
        f"datasets.{dataset.name} cannot be fetched by a program: "
        f"{source.manual or f'see {source.homepage}'}; then set datasets.{dataset.name}.root to "
        "the folder that holds it"
    )
