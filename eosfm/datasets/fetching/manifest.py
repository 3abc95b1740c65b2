"""What a dataset's folder holds: the small file that stands for large data."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.fetching.fetch import hash_file
from eosfm.datasets.spec import Dataset

FORMAT = 1
THREADS = 8
BATCH = 10_000
"""Files handed to the threads at once: datasets of millions of files exist."""
REMEDY = "run `dvc repro -f download@<dataset>`"


class Entry(NamedTuple):
    """One file: its path below the root with forward slashes, its bytes, its SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a dataset.

    Attributes:
        dataset: Its name.
        scenes: Number of labelled scenes per split.
        files: All files below the root, sorted by path; hidden ones are left out.
    """

    dataset: str
    scenes: Mapping[Split, int]
    files: tuple[Entry, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(entry.bytes for entry in self.files)


def write_manifest(root: Path, out: Path, dataset: Dataset) -> Manifest:
    """List, hash and count what lies below ``root``, and write that to ``out`` as JSON.

    The same files give the same bytes wherever they lie: no absolute path, no time goes in.

    Raises:
        EosfmError: The dataset's reader finds no scene, a scene twice, or none to train on.
    """
    manifest = Manifest(dataset.name, count_scenes(dataset, root), _list_files(root))
    header = {
        "format": FORMAT,
        "dataset": manifest.dataset,
        "scenes": dict(manifest.scenes),
        "count": len(manifest.files),
        "bytes": manifest.bytes,
    }
    rows = ",\n".join(f"  {json.dumps(entry)}" for entry in manifest.files)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(f'{json.dumps(header, indent=1)[:-2]},\n "files": [\n{rows}\n ]\n}}\n')
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a manifest that :func:`write_manifest` wrote.

    Raises:
        EosfmError: The file is missing, or is no manifest of this format.
    """
    try:
        data = json.loads(path.read_text())
        if data["format"] != FORMAT:
            raise EosfmError(f"{path} has format {data['format']}; expected {FORMAT}; {REMEDY}")
        files = tuple(Entry(*row) for row in data["files"])
        return Manifest(data["dataset"], data["scenes"], files)
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise EosfmError(
            f"{path} is no manifest ({type(error).__name__}: {error}); {REMEDY}"
        ) from None


def check_manifest(manifest: Manifest, root: Path) -> None:
    """Make sure that every file is below ``root`` with the size it had.

    Sizes only: fast enough to run before every use. The hashes are for those who doubt.

    Raises:
        EosfmError: A file is missing or has another size.
    """
    faults = [entry.path for entry in manifest.files if _size(root / entry.path) != entry.bytes]
    if faults:
        raise EosfmError(
            f"{manifest.dataset}: {len(faults)} of {len(manifest.files)} files are missing or "
            f"changed below {root}, the first is {faults[0]}; "
            f"run `dvc repro -f download@{manifest.dataset}`"
        )


def count_scenes(dataset: Dataset, root: Path) -> dict[Split, int]:
    """Read all scenes' descriptions once and count them by split.

    Raises:
        EosfmError: There is no scene, a scene occurs twice, or there is none to train on.
    """
    counts: Counter[Split] = Counter()
    seen: set[str] = set()
    for scene in tqdm(dataset.scenes(root), desc="scenes", unit="scene", leave=False, disable=None):
        if scene.id in seen:
            raise EosfmError(
                f"{dataset.name}: scene {scene.id} occurs twice below {root}; expected each once; "
                "remove the second copy"
            )
        seen.add(scene.id)
        counts[scene.split] += 1
    if not counts["train"]:
        raise EosfmError(
            f"{dataset.name}: {root} loads {len(seen)} labelled scenes, none for training; "
            f"expected {dataset.title} in its published layout; "
            f"set datasets.{dataset.name}.root to such a copy"
        )
    return {split: counts[split] for split in SPLITS}


def _list_files(root: Path) -> tuple[Entry, ...]:
    paths = sorted(_walk(root), key=lambda path: path.relative_to(root).as_posix())
    sizes = [path.stat().st_size for path in paths]
    bar = tqdm(
        desc="sha256", total=sum(sizes), unit="B", unit_scale=True, leave=False, disable=None
    )
    digests: list[str] = []
    with bar, ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(paths), BATCH):
            for digest in pool.map(hash_file, paths[start : start + BATCH]):
                bar.update(sizes[len(digests)])
                digests.append(digest.hexdigest())
    names = [path.relative_to(root).as_posix() for path in paths]
    return tuple(map(Entry, names, sizes, digests))


def _walk(root: Path) -> Iterator[Path]:
    """All files below ``root``, links followed; hidden files and folders are left out."""
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
