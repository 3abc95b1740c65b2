"""Numbers of scenes: as published, or as the first copy had."""

from dataclasses import replace
from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets import DATASETS, get_dataset
from eosfm.datasets.fetching.counts import check_counts, count_scenes
from eosfm.datasets.fetching.prepare import prepare
from eosfm.datasets.native.copy import NativeCopy
from eosfm.datasets.native.spec import Scene
from eosfm.planning.facts import ARCHIVES

TOY = replace(get_dataset("loveda"), name="toy", published={"train val": 3, "test": 1})


def copy(root: Path, names: str) -> Path:
    """A copy whose files are its scenes, named after their splits."""
    root.mkdir(exist_ok=True)
    for number, split in enumerate(names.split()):
        (root / f"{number}.{split}").touch()
    return root


def scenes(root: Path):
    unread = {"height": 8, "width": 8, "image": None, "target": None}
    return [Scene(p.stem, p.suffix[1:], files=(p,), **unread) for p in sorted(root.iterdir())]


def run(tmp_path: Path, dataset, root: Path, a_part: bool = False):
    native = NativeCopy("toy", "loveda", "archive", str(root), "", tmp_path / "cache")
    dataset = replace(dataset, reader=scenes)
    trusted = tmp_path / "trusted"
    return prepare(dataset, native, print, tmp_path / "out", a_part=a_part, trusted=trusted)


def test_a_whole_copy_passes_however_its_parts_are_divided(tmp_path):
    for number, names in enumerate(("train train val test", "train val val test")):
        manifest = run(tmp_path, TOY, copy(tmp_path / str(number), names))
        assert manifest.count == 4 and not (tmp_path / "trusted").exists()


@pytest.mark.parametrize(
    ("names", "found"),
    [("train val test", "2 scenes of train val; expected 3, as published"),
     ("train train val", "0 scenes of test; expected 1"),
     ("train train val test test", "2 scenes of test; expected 1")],
)  # fmt: skip
def test_a_lost_or_added_scene_is_told(names, found, tmp_path):
    root = copy(tmp_path / "mine", names)
    with pytest.raises(EosfmError, match=f"toy: .*mine holds {found}.*toy.scenes=any") as caught:
        run(tmp_path, TOY, root)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()
    assert run(tmp_path, TOY, root, a_part=True).count == len(names.split())


def test_the_first_copy_counts_where_nothing_is_published(tmp_path):
    dataset = replace(TOY, published={})
    run(tmp_path, dataset, copy(tmp_path / "mine", "train train val"))
    assert (tmp_path / "trusted/toy.scenes").read_text() == "train 2 val 1 test 0\n"
    run(tmp_path, dataset, copy(tmp_path / "same", "train train val"))
    other = copy(tmp_path / "other", "train val")
    with pytest.raises(
        EosfmError, match=r"train 1 val 1 test 0; expected train 2 val 1 .*otherwise"
    ):
        run(tmp_path, dataset, other)
    run(tmp_path, dataset, other, a_part=True)
    assert (tmp_path / "trusted/toy.scenes").read_text() == "train 2 val 1 test 0\n"
    (tmp_path / "trusted/toy.scenes").unlink()
    run(tmp_path, dataset, other)


def test_a_copy_may_grow_and_is_held_against_what_it_was_last(tmp_path, capsys):
    dataset = replace(TOY, published={})
    run(tmp_path, dataset, copy(tmp_path / "mine", "train val"))
    run(tmp_path, dataset, copy(tmp_path / "more", "train train val test"))
    assert (
        "holds scenes train 2 val 1 test 1; the copy before had train 1" in capsys.readouterr().out
    )
    with pytest.raises(EosfmError, match=r"expected train 2 val 1 test 1"):
        run(tmp_path, dataset, copy(tmp_path / "less", "train train val val"))


def test_a_note_of_the_first_copy_that_is_none_is_told(tmp_path):
    (tmp_path / "toy.scenes").write_bytes(b"x" * 999)
    with pytest.raises(EosfmError, match=r"delete .*toy.scenes") as caught:
        check_counts(
            replace(TOY, published={}), tmp_path, {"train": 1, "val": 0, "test": 0}, tmp_path
        )
    assert len(str(caught.value)) < 600


def test_the_editions_of_eurosat_have_numbers_of_their_own(tmp_path):
    (tmp_path / "2750").mkdir()
    with pytest.raises(EosfmError, match=r"3 scenes of train val test; expected 27000"):
        check_counts(get_dataset("eurosat"), tmp_path, {"train": 1, "val": 1, "test": 1})


def test_simulated_copies_are_not_counted(simulated):
    counts = count_scenes(get_dataset("loveda"), simulated(get_dataset("loveda")))
    assert counts == {"train": 2, "val": 1, "test": 0}


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_published_numbers_are_those_of_the_plan(name):
    """Two tables that must not differ; the plan's are rounded where it says so."""
    for part, number in get_dataset(name).published.items():
        planned = sum(getattr(ARCHIVES[name], split) for split in part.split())
        assert planned == number or (ARCHIVES[name].about and abs(planned / number - 1) < 0.01)


def test_of_most_the_numbers_are_known():
    unknown = {name for name in DATASETS if not get_dataset(name).published}
    assert unknown == {
        "crop_type_south_sudan", "dfc2022", "etci2021", "kenya_croptype", "minifrance",
        "opencanopy", "sen12ms", "spacenet7",
    }  # fmt: skip
    assert dict(get_dataset("spacenet7_change").published) == {"train": 60, "val": 15, "test": 14}
