"""What a dataset's folder holds: the small file that stands for large data."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS, Split
from eosfm.datasets.fetching.watch import Entry, list_files
from eosfm.datasets.spec import Dataset

FORMAT = 1
REMEDY = "run `dvc repro -f data/dvc.yaml:download@<dataset>`"


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


def write_manifest(root: Path, out: Path, dataset: Dataset, cache: Path | None = None) -> Manifest:
    """List, hash and count what lies below ``root``, and write that to ``out`` as JSON.

    The same files give the same bytes wherever they lie: no absolute path, no time goes in.

    Args:
        root: The dataset's files.
        out: The manifest.
        dataset: The dataset.
        cache: Folder that remembers hashes (see :mod:`eosfm.datasets.fetching.watch`); None for
            files that are read this once.

    Raises:
        EosfmError: The dataset's reader finds no scene, a scene twice, or none to train on.
    """
    manifest = Manifest(dataset.name, count_scenes(dataset, root), list_files(root, cache))
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


def check_manifest(manifest: Manifest, root: Path, cache: Path | None = None) -> None:
    """Make sure that ``root`` holds the manifest's files, with their content, and no other.

    Raises:
        EosfmError: A file is missing, new, or holds something else.
    """
    then = {entry.path: entry for entry in manifest.files}
    now = {entry.path: entry for entry in list_files(root, cache)}
    faults = sorted(path for path in then | now if then.get(path) != now.get(path))
    if faults:
        first = faults[0]
        fault = "is missing" if first not in now else "is new" if first not in then else "changed"
        raise EosfmError(
            f"{manifest.dataset}: {root / first} {fault} since the dataset was prepared, the first "
            f"of {len(faults)} such files; put it back, or run `dvc repro -f "
            f"data/dvc.yaml:download@{manifest.dataset}` to go on with what is there"
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
