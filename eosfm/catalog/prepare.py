"""The download stage's work: a dataset's files on disk and their manifest."""

import shutil
from pathlib import Path

from eosfm.catalog.fetch import fetch
from eosfm.catalog.manifest import Manifest, write_manifest
from eosfm.catalog.spec import Dataset, Simulation
from eosfm.errors import EosfmError


def prepare(
    dataset: Dataset,
    source: str,
    root: str | None,
    archives: str,
    simulation: Simulation,
    out: Path,
) -> Manifest:
    """Simulate, find or download a dataset, and write ``out/manifest.json``.

    A simulated copy goes to ``out/files``. A copy at ``root`` stays where it is; a downloaded one
    goes to ``archives/<dataset>``. ``out`` appears when all is done, or not at all.

    Args:
        dataset: The dataset.
        source: ``simulated`` or ``archive``.
        root: A copy that the user already has; None to download one.
        archives: Folder of downloaded datasets.
        simulation: How much to simulate.
        out: The stage's output folder; replaced.

    Raises:
        EosfmError: The files cannot be had, or are not the dataset described.
    """
    files = files_root(dataset.name, source, root, archives, out)
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        if source == "simulated":
            files = beside / "files"
            files.mkdir()
            dataset.simulate(files, simulation)
        elif root is None:
            fetch(dataset, files)
        elif not files.is_dir():
            raise EosfmError(
                f"datasets.{dataset.name}.root is {root}, which is no folder; expected a copy of "
                f"{dataset.title}; correct it, or set it to null to download one"
            )
        manifest = write_manifest(files, beside / "manifest.json", dataset)
        shutil.rmtree(out, ignore_errors=True)
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest


def files_root(dataset: str, source: str, root: str | None, archives: str, out: Path) -> Path:
    """The folder that holds a dataset's native files.

    Raises:
        EosfmError: ``root`` names a copy, yet the dataset is to be simulated.
    """
    if source == "simulated":
        if root is not None:
            raise EosfmError(
                f"datasets.{dataset}.root is set, but its source is simulated, so the copy would "
                f"not be read; set datasets.{dataset}.source=archive as well, or leave root null"
            )
        return out / "files"
    return Path(root).expanduser() if root is not None else Path(archives) / dataset
