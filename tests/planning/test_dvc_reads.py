"""YAML files that DVC reads again and again."""

import pytest
from dvc.dependency.param import read_param_file
from dvc.fs import localfs
from dvc.utils import serialize, strictyaml

from eosfm.planning import dvc_reads
from eosfm.planning.dvc_reads import parse_once


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(serialize, "LOADERS", serialize.LOADERS.copy())
    monkeypatch.setattr(strictyaml, "parse_yaml", strictyaml.parse_yaml)
    dvc_reads._parsed.cache_clear()
    parse_once()
    path = tmp_path / "params.yaml"
    path.write_text("a: 1\nb: [x, {c: 0.5}]\n")
    return str(path)


def values(path):
    return read_param_file(localfs, path)


def test_the_same_text_is_parsed_once(path, monkeypatch):
    parsed, parse = [], serialize.parse_yaml
    monkeypatch.setattr(serialize, "parse_yaml", lambda *a: parsed.append(a) or parse(*a))
    assert values(path) == values(path) == {"a": 1, "b": ["x", {"c": 0.5}]}
    assert len(parsed) == 1
    assert strictyaml.load(path)[0] == {"a": 1, "b": ["x", {"c": 0.5}]}
    assert len(parsed) == 1, "a lock is read through another function"


def test_a_file_that_is_to_be_changed_keeps_its_comments(path, tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1  # one\n")
    strictyaml.load(path)
    kept, _ = strictyaml.load(path, round_trip=True)
    assert kept.ca.items["a"][2].value == "# one\n"


def test_a_change_is_seen_whatever_the_times_of_files_say(path, tmp_path):
    values(path)
    (tmp_path / "params.yaml").write_text("a: 2\nb: [x, {c: 0.5}]\n")
    assert values(path)["a"] == 2


def test_who_changes_the_values_changes_nobody_elses(path):
    values(path)["b"].append("y")
    assert values(path)["b"] == ["x", {"c": 0.5}]


def test_a_broken_file_is_refused_each_time(path, tmp_path):
    (tmp_path / "params.yaml").write_text("a: [1\n")
    for _ in range(2):
        with pytest.raises(serialize.ParseError, match="YAML file structure is corrupted"):
            values(path)
