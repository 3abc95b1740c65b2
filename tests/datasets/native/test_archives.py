"""Files that are hidden while something is fetched."""

from pathlib import Path

import pytest

from eosfm.datasets.native.archives import hidden


def test_a_file_is_hidden_for_a_time_and_put_back_unless_it_came_anew(tmp_path: Path):
    kept, new, absent = (tmp_path / name for name in ("kept.csv", "new.csv", "absent.csv"))
    kept.write_text("by hand")
    new.write_text("by hand")
    with pytest.raises(OSError, match="no route"), hidden(kept, new, absent):
        assert not kept.exists() and not new.exists()
        new.write_text("fetched")
        raise OSError("no route")
    assert kept.read_text() == "by hand" and new.read_text() == "fetched"
    assert sorted(tmp_path.iterdir()) == [kept, new]


def test_what_a_killed_call_had_hidden_is_put_back(tmp_path: Path):
    file = tmp_path / "table.csv"
    file.write_text("by hand")
    killed = hidden(file)
    killed.__enter__()
    with hidden(file):
        assert not file.exists()
    assert file.read_text() == "by hand"
