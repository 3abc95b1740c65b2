"""YAML files that DVC reads again and again."""

import dpath
import pytest
from dvc.dependency.param import read_param_file
from dvc.fs import localfs
from dvc.utils import serialize, strictyaml
from dvc.utils.serialize import _common, _yaml

from eosfm.planning import dvc_yaml
from eosfm.planning.dvc_yaml import patch_yaml


@pytest.fixture
def unpatched(monkeypatch):
    """DVC as it is, now and after the test."""
    monkeypatch.setattr(serialize, "LOADERS", serialize.LOADERS.copy())
    for module, names in {
        strictyaml: ["parse_yaml"],
        _yaml: ["parse_yaml_for_update", "_dump_data"],
        _common: ["_dump_data"],
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(dpath, "get", dpath.get)
    dvc_yaml._parsed.cache_clear()


@pytest.fixture
def path(tmp_path, unpatched):
    patch_yaml()
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


def test_parameters_are_those_that_dvc_finds(path, tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("a: {b: 1, c: [x, {d: 0.5}], 7: k}\nb: null\n'*': 2\n")
    keys = ["a", "a.b", "a.c.1.d", "a.c.[0]", "a.7", "b", "a.no", "no", "b.a", "a.b.c"]
    patch_yaml()  # once more, as each stage of a worker does
    patched = read_param_file(localfs, path, keys, flatten=True)
    monkeypatch.setattr(dpath, "get", dpath.get.__wrapped__)
    assert patched == read_param_file(localfs, path, keys, flatten=True)
    assert set(patched) >= {"a", "a.b", "a.c.1.d", "a.7", "b"} and "no" not in patched


def test_a_file_that_is_to_be_changed_keeps_its_comments(path, tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1  # one\n")
    strictyaml.load(path)
    kept, _ = strictyaml.load(path, round_trip=True)
    assert kept.ca.items["a"][2].value == "# one\n"


LOCK = """schema: '2.0'
stages:
  train@a:
    cmd: python stages/train.py a
    deps:
    - path: data/tiles/a
      hash: md5
      md5: 12345678901234567890123456789012
      size: 1
    params:
      params.yaml:
        rate: 1e-05
        share: 0.10
        none:
        text: '1e5'
        deep: [[1, 2], {}]
"""


@pytest.mark.parametrize("name", ["dvc.lock", "params.yaml"])
def test_a_changed_file_is_written_as_dvc_alone_writes_it(tmp_path, unpatched, name):
    def written():
        (tmp_path / name).write_text(written_by_dvc)
        with _yaml.modify_yaml(str(tmp_path / name)) as data:
            data["stages"]["train@b"] = {"cmd": "true", "md5": "1234567890123456789012345678901e"}
        return (tmp_path / name).read_text()

    (tmp_path / name).write_text(LOCK)
    with _yaml.modify_yaml(str(tmp_path / name)):
        pass
    values = serialize.load_yaml(tmp_path / name)
    serialize.dump_yaml(tmp_path / name, values)  # as DVC first writes an entry
    written_by_dvc = (tmp_path / name).read_text()
    alone = written()
    patch_yaml()
    assert written() == alone


def test_a_file_is_whole_when_its_writing_is_stopped(path, monkeypatch):
    before = values(path)

    def stopped(data, stream):
        stream.write("a: 2\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(_yaml, "_dump", stopped)
    with pytest.raises(KeyboardInterrupt), _yaml.modify_yaml(path) as data:
        data["a"] = 2
    with pytest.raises(KeyboardInterrupt):
        serialize.dump_yaml(path, {"a": 2})
    assert values(path) == before


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
