from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from eosfm.core.errors import EosfmError
from eosfm.params import load_params

PARAMS = Path(__file__).parents[1] / "params.yaml"


def changed(tmp_path, **overrides):
    """Write params.yaml with values set by dotted key, as ``-S`` does."""
    data = yaml.safe_load(PARAMS.read_text())
    for key, value in overrides.items():
        *parents, last = key.split("__")
        entry = data
        for parent in parents:
            entry = entry[parent]
        entry[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_the_projects_own_file_is_valid_and_frozen():
    params = load_params(PARAMS)
    with pytest.raises(ValidationError):
        params.seed = 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"fusion__max_encoder": 5}, ["fusion.max_encoder", "did you mean 'max_encoders'"]),
        ({"fusion__max_encoders": 0}, ["fusion.max_encoders is 0", "greater than 0"]),
        ({"fusion__method": "add"}, ["fusion.method is 'add'", "'addition'"]),
        ({"specialists__potsdam__epoch": 5}, ["specialists.potsdam.epoch", "'epochs'"]),
        ({"specialists__potsdam__bands": ["nirr"]}, ["unknown band 'nirr'", "'nir'"]),
        ({"specialists__potsdam__dataset": "postdam"}, ["'postdam'", "'potsdam'"]),
        ({"scales__mini__train__step": 5}, ["scales.mini.train.step", "steps_per_epoch"]),
        ({"scale": "midi"}, ["scale is 'midi'", "'mini' or 'full'"]),
        ({"energy__country": "France"}, ["energy.country"]),
    ],
)
def test_a_wrong_value_is_one_line_with_the_key_and_the_remedy(tmp_path, override, words):
    with pytest.raises(EosfmError) as error:
        load_params(changed(tmp_path, **override))
    for word in words:
        assert word in str(error.value)


def test_a_missing_key_is_named(tmp_path):
    data = yaml.safe_load(PARAMS.read_text())
    del data["fusion"]["method"]
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(EosfmError, match=r"fusion\.method is missing"):
        load_params(path)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(EosfmError, match="not found"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(EosfmError, match="not valid YAML"):
        load_params(tmp_path / "params.yaml")


def test_a_datasets_own_source_wins_over_the_scale(tmp_path):
    params = load_params(changed(tmp_path, datasets__loveda__source="archive"))
    assert params.source("loveda") == "archive"
    assert params.source("potsdam") == "simulated"
    full = load_params(changed(tmp_path, scale="full"))
    assert full.source("potsdam") == "archive"
    assert full.current.pretrained


def test_an_unknown_entry_suggests_a_near_one():
    with pytest.raises(EosfmError, match="did you mean 'eurosat_rgb'"):
        load_params(PARAMS).specialist("eurosat_rbg")
