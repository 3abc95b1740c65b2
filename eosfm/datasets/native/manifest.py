"""What a dataset's folder holds: the small file that stands for large data."""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path

from eosfm.core.errors import EosfmError
from eosfm.core.splits import Split
from eosfm.datasets.native.contents import Entry, list_files

FORMAT = 2
FACTS = b"eosfm"
"""Key of the Parquet file's metadata that holds what is not a file's."""
ROWS = 100_000
"""Files written and read at a time: datasets of millions of files exist."""


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset, listed in a Parquet file.

    Attributes:
        path: That file.
        dataset: Name of the dataset.
        scenes: Number of labelled scenes per split.
        count: Number of files below the root; hidden ones are left out.
        bytes: Size of all files together.
    """

    path: Path
    dataset: str
    scenes: Mapping[Split, int]
    count: int
    bytes: int

    def files(self) -> Iterator[Entry]:
        """All files below the root, sorted by path, a part in memory at a time.

        Raises:
            EosfmError: The list is damaged.
        """
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self.path, page_checksum_verification=True) as file:
                for batch in file.iter_batches(ROWS):
                    for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        yield Entry(row[0], row[1], row[2].hex())
        except (OSError, ValueError) as error:
            raise _no_manifest(self.path, error) from None


def save_manifest(
    path: Path, dataset: str, scenes: Mapping[Split, int], files: Iterable[Entry]
) -> Manifest:
    """Write a manifest to a Parquet file; its files, sorted by path, as they come."""
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    count = size = 0
    columns = [
        pyarrow.field("path", pyarrow.string(), nullable=False),
        pyarrow.field("bytes", pyarrow.int64(), nullable=False),
        pyarrow.field("sha256", pyarrow.binary(32), nullable=False),
    ]
    schema = pyarrow.schema(columns)
    with parquet.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=False, write_statistics=False,
        column_encoding={"path": "DELTA_BYTE_ARRAY"}, write_page_checksum=True,
    ) as writer:  # fmt: skip
        files = iter(files)
        while batch := list(islice(files, ROWS)):
            paths, sizes, digests = zip(*batch, strict=True)
            count, size = count + len(batch), size + sum(sizes)
            rows = [paths, sizes, [bytes.fromhex(digest) for digest in digests]]
            arrays = [pyarrow.array(r, field.type) for r, field in zip(rows, columns, strict=True)]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
        manifest = Manifest(path, dataset, dict(scenes), count, size)
        facts = {"format": FORMAT, **asdict(manifest)}
        del facts["path"]
        writer.add_key_value_metadata({FACTS: json.dumps(facts)})
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a manifest that :func:`save_manifest` wrote; its list of files is read when asked for.

    Raises:
        EosfmError: The file is missing, or is no manifest of this format.
    """
    from pyarrow import parquet

    if not path.exists():
        raise EosfmError(f"{path} not found; {_remedy(path)}")
    try:
        facts = json.loads(parquet.read_metadata(path).metadata[FACTS])
        if (found := facts.pop("format")) != FORMAT:
            raise EosfmError(f"{path} has format {found}; expected {FORMAT}; {_remedy(path)}")
        return Manifest(path, **facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _no_manifest(path, error) from None


def _no_manifest(path: Path, error: Exception) -> EosfmError:
    return EosfmError(
        f"{path} is no manifest ({type(error).__name__}: {str(error)[:120]}); {_remedy(path)}"
    )


def _remedy(path: Path) -> str:
    """Stage download writes a dataset's manifest into the folder of its name."""
    return f"run `dvc repro -f data/dvc.yaml:download@{path.parent.name}`"


def check_manifest(manifest: Manifest, root: Path, cache: Path | None = None) -> None:
    """Make sure that ``root`` holds the manifest's files, with their content, and no other.

    Raises:
        EosfmError: A file is missing, new, or holds something else.
    """
    faults = _differences(manifest.files(), list_files(root, cache))
    if first := next(faults, None):
        path, fault = first
        raise EosfmError(
            f"{manifest.dataset}: {root / path} {fault} since the dataset was prepared, the first "
            f"of {1 + sum(1 for _ in faults)} such files; put it back, or run `dvc repro -f "
            f"data/dvc.yaml:download@{manifest.dataset}` to go on with what is there"
        )


def _differences(then: Iterable[Entry], now: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Path and fault of each file that differs in two lists sorted by path, read side by side."""
    both = heapq.merge(
        ((entry, "then") for entry in then),
        ((entry, "now") for entry in now),
        key=lambda marked: marked[0].path,
    )
    for path, group in groupby(both, key=lambda marked: marked[0].path):
        found = {side: entry for entry, side in group}
        if "now" not in found:
            yield path, "is missing"
        elif "then" not in found:
            yield path, "is new"
        elif found["then"] != found["now"]:
            yield path, "changed"
