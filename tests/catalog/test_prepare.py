"""The download stage's work."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eosfm.catalog import get_dataset
from eosfm.catalog import prepare as module
from eosfm.catalog.manifest import check_manifest, read_manifest
from eosfm.catalog.png import write_png
from eosfm.catalog.prepare import files_root, prepare
from eosfm.catalog.spec import Simulation
from eosfm.errors import EosfmError

SIMULATION = Simulation(seed=0, scenes={"train": 2, "val": 1, "test": 1}, size=32, gsd=1.0)


def write_copy(root: Path, simulation: Simulation = SIMULATION) -> None:
    """A copy in LoveDA's layout, blank."""
    for folder, count in (("Train", simulation.scenes["train"]), ("Val", 1)):
        for number in range(count):
            area = root / folder / "Urban"
            write_png(area / "images_png" / f"{number}.png", np.zeros((3, 32, 32), np.uint8))
            write_png(area / "masks_png" / f"{number}.png", np.ones((32, 32), np.uint8))


LOVEDA = replace(get_dataset("loveda"), simulate=write_copy)


def run(tmp_path: Path, source: str, root: Path | None = None, dataset=LOVEDA):
    out, archives = tmp_path / "out", str(tmp_path / "archives")
    place = str(root) if root else None
    manifest = prepare(dataset, source, place, archives, SIMULATION, out)
    files = files_root("loveda", source, place, archives, out)
    check_manifest(read_manifest(out / "manifest.json"), files)
    return manifest, files


def test_simulated_copy_goes_below_out(tmp_path: Path):
    manifest, files = run(tmp_path, "simulated")
    assert files == tmp_path / "out" / "files"
    assert manifest.scenes == {"train": 2, "val": 1, "test": 0}
    assert len(manifest.files) == 6
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_copy_that_the_user_has_stays_where_it_is(tmp_path: Path):
    write_copy(tmp_path / "mine")
    _, files = run(tmp_path, "archive", tmp_path / "mine")
    assert files == tmp_path / "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]


def test_archive_is_fetched_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "fetch", lambda dataset, root: write_copy(root))
    _, files = run(tmp_path, "archive")
    assert files == tmp_path / "archives" / "loveda"


def test_earlier_output_is_replaced(tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    run(tmp_path, "simulated")
    assert not (tmp_path / "out" / "old").exists()


def test_failure_leaves_nothing(tmp_path: Path):
    broken = replace(LOVEDA, simulate=lambda root, simulation: (root / "half").write_text(""))
    with pytest.raises(EosfmError, match="Train not found"):
        run(tmp_path, "simulated", dataset=broken)
    assert list(tmp_path.iterdir()) == []


def test_root_that_is_no_folder(tmp_path: Path):
    with pytest.raises(EosfmError, match=r"loveda.root is .*absent, which is no folder"):
        run(tmp_path, "archive", tmp_path / "absent")


def test_root_that_would_not_be_read(tmp_path: Path):
    with pytest.raises(EosfmError, match=r"set datasets.loveda.source=archive as well"):
        run(tmp_path, "simulated", tmp_path)
