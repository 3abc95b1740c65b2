"""A dataset is added by one file and one line in the table; no simulator, no other code."""

import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import eosfm.datasets
from eosfm.artifacts.licences import training_data
from eosfm.core.errors import EosfmError
from eosfm.core.splits import SPLITS
from eosfm.datasets import get_dataset
from eosfm.datasets.fetching.prepare import prepare
from eosfm.datasets.native.archives import of_torchgeo
from eosfm.datasets.native.copy import NativeCopy, native_files
from eosfm.datasets.native.spec import Dataset
from eosfm.params import load_params
from eosfm.planning.stores import planned_store
from eosfm.simulation.recipes import get_recipe
from eosfm.tiles.store import TileStore
from eosfm.tiles.tiling import cut_dataset
from tests.datasets.base import DatasetContract
from tests.datasets.examples import rsscn7, ucmerced
from tests.fixtures.tasks import ROOT

EXAMPLES = Path(__file__).with_name("examples")


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """The package and its table, as if the examples were among them."""
    with pytest.MonkeyPatch.context() as patch:
        names = ("rsscn7", "ucmerced")
        patch.setattr(eosfm.datasets, "DATASETS", (*eosfm.datasets.DATASETS, *names))
        patch.setattr(eosfm.datasets, "__path__", [*eosfm.datasets.__path__, str(EXAMPLES)])
        importlib.invalidate_caches()
        yield


def paint(path: Path, seed: int, size: int) -> None:
    """A small file: a slope of a colour of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color = np.random.default_rng(seed).integers(1, 180, 3)
    pixels = color + np.add.outer(np.arange(size), np.arange(size))[..., None] % 64
    options = {"compression": "tiff_lzw"} if path.suffix == ".tif" else {}
    Image.fromarray(pixels.astype(np.uint8)).save(path, **options)


class AddedContract(DatasetContract):
    def test_one_short_file_is_enough(self, dataset: Dataset):
        assert len((EXAMPLES / f"{self.name}.py").read_text().splitlines()) <= 45

    def test_its_plan_counts_the_copy_and_its_licence_is_a_question(self, root: Path, scenes):
        params = load_params(ROOT / "params.yaml")
        given = {"reader": self.name, "simulated": None, "source": "archive", "root": str(root)}
        entry = params.datasets["eurosat"].model_copy(update=given)
        store = planned_store(params.model_copy(update={"datasets": {"mine": entry}}), "mine")
        found = Counter(scene.split for scene in scenes)
        assert store.scenes == {split: found[split] for split in SPLITS}
        assert store.shape == (1, 3, scenes[0].height, scenes[0].width)
        assert training_data(self.name).commercial is None

    def test_it_is_prepared_and_tiled(self, dataset: Dataset, root: Path, scenes, tmp_path: Path):
        copy = NativeCopy("mine", self.name, "archive", str(root), "unused", tmp_path / "cache")
        manifest = prepare(dataset, copy, lambda folder: None, tmp_path / "raw", a_part=True)
        assert sum(manifest.scenes.values()) == len(scenes)
        with native_files(copy, tmp_path / "raw") as files:
            cut_dataset(dataset, files, tmp_path / "tiles", tile=None, source="simulated")
        store = TileStore(tmp_path / "tiles")
        assert store.classes == dataset.classes and store.bands == dataset.bands

    def test_it_cannot_be_simulated(self, dataset: Dataset):
        with pytest.raises(EosfmError, match=f"no recipe.*datasets.{self.name}.source=archive"):
            get_recipe(self.name)


class TestClassFolders(AddedContract):
    name = "rsscn7"

    @pytest.fixture(scope="class")
    def root(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        root = tmp_path_factory.mktemp("rsscn7")
        for index, folder in enumerate(rsscn7.FOLDERS):
            for number in range(8):
                paint(root / folder / f"{folder[0]}{number:03d}.jpg", 10 * index + number, 64)
        return root

    def test_labels_are_the_folders(self, scenes):
        for scene in scenes:
            assert scene.files[0].parent.name == rsscn7.FOLDERS[int(scene.target(None))]

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda r: (r / "bField").rename(r / "Field"), "Field is no class; did you mean"),
            (lambda r: (r / "bField").rename(r / ".hidden"), "bField not found"),
            (lambda r: [p.unlink() for p in (r / "bField").iterdir()], "bField holds no image"),
        ],
    )
    def test_faults_of_the_folders(self, root: Path, tmp_path: Path, damage, message: str):
        import shutil

        mine = Path(shutil.copytree(root, tmp_path / "mine"))
        damage(mine)
        with pytest.raises(EosfmError, match=message):
            list(rsscn7.scenes(mine))


class TestTorchgeo(AddedContract):
    name = "ucmerced"

    @pytest.fixture(scope="class")
    def root(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        root = tmp_path_factory.mktemp("ucmerced")
        names: dict[str, list[str]] = {split: [] for split in SPLITS}
        for index, label in enumerate(ucmerced.DATASET.classes):
            for number, split in enumerate(("train", "train", "val", "test")):
                name = f"{label}{number:02d}.tif"
                size = 247 if name == "beach00.tif" else 256  # as some of the published ones
                path = root / "UCMerced_LandUse" / "Images" / label / name
                paint(path, 4 * index + number, size)
                names[split].append(name)
        for split, listed in names.items():
            (root / f"uc_merced-{split}.txt").write_text("\n".join(listed))
        return root

    def test_scenes_are_those_of_the_lists(self, root: Path, scenes):
        for scene in scenes:
            assert scene.files[0].name in (root / f"uc_merced-{scene.split}.txt").read_text()
            assert scene.files[0].parent.name == ucmerced.DATASET.classes[int(scene.target(None))]

    def test_an_empty_folder_is_one_line(self, tmp_path: Path):
        with pytest.raises(EosfmError, match=r"torchgeo's UCMerced cannot read .* fetch it again"):
            list(ucmerced.DATASET.scenes(tmp_path))

    def test_archives_are_torchgeos(self):
        from torchgeo.datasets import UCMerced

        files = {archive.filename: archive for archive in get_dataset("ucmerced").source.files()}
        assert files[UCMerced.filename].checksum == f"md5:{UCMerced.md5}"
        assert len(files) == 4
        (images,) = of_torchgeo("UCMerced")()
        assert images == files[UCMerced.filename]
