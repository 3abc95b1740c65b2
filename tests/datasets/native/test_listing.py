"""Folders, lists and tables of scenes."""

import re
from unicodedata import normalize

import pytest

from eosfm.core.closure import ROOT
from eosfm.core.errors import EosfmError
from eosfm.datasets.native.listing import (
    class_folders,
    expecting,
    folders,
    listed,
    matching,
    parse,
    read_rows,
)


def test_files_are_sorted_and_an_empty_folder_is_refused(tmp_path):
    for name in ("b.tif", "a.tif", "c.png"):
        (tmp_path / name).touch()
    assert [path.name for path in listed(tmp_path, "*.tif", "x")] == ["a.tif", "b.tif"]
    with pytest.raises(EosfmError, match=r"holds no \*\.jpg; expected images; fetch"):
        listed(tmp_path, "*.jpg", "images")
    with pytest.raises(EosfmError, match="none not found; expected images"):
        listed(tmp_path / "none", "*.jpg", "images")


def test_hidden_files_are_nobodys(tmp_path):
    """Copies by a Mac have a `._a.tif` beside each `a.tif`."""
    for name in (
        "a/x.png",
        "a/._x.png",
        "a/.DS_Store",
        "__MACOSX/a/._x.png",
        ".b/y.png",
        "._c.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert matching(tmp_path, "**/*.png") == [tmp_path / "a/x.png"]
    assert folders(tmp_path) == [tmp_path / "a"]
    assert [path.name for path, _ in class_folders(tmp_path, ("a",))] == ["x.png"]


def test_readers_list_files_in_this_one_way():
    for path in (ROOT / "eosfm/datasets").glob("**/*.py"):
        if path.parent.name != "fetching" and path.name not in ("listing.py", "contents.py"):
            assert not re.search(r"\.(r?glob|iterdir)\(", path.read_text()), path


def test_class_folders_of_macos_are_found(tmp_path):
    (tmp_path / normalize("NFD", "Grünland")).mkdir()
    (tmp_path / normalize("NFD", "Grünland") / "a.png").touch()
    ((path, index),) = class_folders(tmp_path, ("Grünland",))
    assert path.name == "a.png" and index == 0
    (tmp_path / "See").mkdir()
    with pytest.raises(EosfmError, match="See is no class"):
        list(class_folders(tmp_path, ("Grünland",)))


def test_images_of_class_folders_are_read_or_refused(tmp_path):
    """One that is left out without a word is a lost scene."""
    (tmp_path / "field").mkdir()
    for name in ("a.JPG", "b.jp2", "c.tiff", "notes.txt"):
        (tmp_path / "field" / name).touch()
    found = [path.name for path, _ in class_folders(tmp_path, ("field",))]
    assert found == ["a.JPG", "b.jp2", "c.tiff"]
    (tmp_path / "field" / "d.WEBP").touch()
    with pytest.raises(
        EosfmError, match=r"d\.WEBP is of a format that is not read; expected \.jpg"
    ):
        list(class_folders(tmp_path, ("field",)))


def test_names_match_completely(tmp_path):
    assert parse(r"(\d+)_(\w)", "12_b", tmp_path, "names").groups() == ("12", "b")
    with pytest.raises(EosfmError, match="found '12_bc'; expected names such as 12_b"):
        parse(r"(\d+)_(\w)", "12_bc", tmp_path, "names such as 12_b")


def test_rows_of_a_table_and_a_missing_column(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("id,part,more\n1,train,x\n2,,y\n")
    assert [row["part"] for row in read_rows(path, ("part", "id"))] == ["train", ""]
    with pytest.raises(EosfmError, match="has the columns id, part, more; expected id, split"):
        list(read_rows(path, ("id", "split")))
    for place in ("/etc/a", "../a", "b/../../a"):
        path.write_text(f"id,part\n1,a..b\n2,{place}\n")
        with pytest.raises(EosfmError, match=f"has '{place}' as part, which leads out of"):
            list(read_rows(path, ("id", "part")))
    path.write_text("")
    with pytest.raises(EosfmError, match="has the columns ; expected id"):
        list(read_rows(path, ("id",)))


@pytest.mark.parametrize("fault", [lambda: {}["a"], lambda: int("x\ny"), lambda: None + 1])
def test_what_a_file_lacks_is_one_line(tmp_path, fault):
    refused = pytest.raises(EosfmError, match=r"is not the file expected .* expected dates")
    with refused as error, expecting(tmp_path / "a.json", "dates"):
        fault()
    assert "\n" not in str(error.value)
