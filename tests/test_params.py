from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from eosfm import fields, recipes, schema
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
        ({"tasks__pastis__dates": 3}, ["tasks.pastis.dates", "'max_dates'"]),
        ({"specialists__potsdam__train": {"epoch": 5}}, ["potsdam.train.epoch", "'epochs'"]),
        ({"recipes__ours__schedule": {"patence": 3}}, ["ours.schedule.patence", "'patience'"]),
        ({"recipes__ours__schedule": {"factor": 3, "patience": 1}}, ["schedule.factor is 3"]),
        ({"recipes__ours__schedule": "cosine"}, ["ours.schedule is 'cosine'", "'one_cycle' or"]),
        ({"recipes__ours__scaling": {"mean": 0, "std": ["a"]}}, ["ours.scaling.std.0 is 'a'"]),
        ({"datasets__oscd__simulated": {"vall": 3}}, ["oscd.simulated.vall", "'val'"]),
        ({"defaults__tasks__metrik": "miou"}, ["unknown key defaults.tasks.metrik", "'metric'"]),
        ({"defaults__specialists__lr": -1}, ["defaults.specialists.lr is -1", "greater than 0"]),
        ({"band_sets__mine": "B04 B99"}, ["unknown band 'B99'"]),
        ({"ensemble": ["postdam"]}, ["ensemble names 'postdam'", "did you mean 'potsdam'"]),
        ({"ensemble": ["potsdam", "potsdam"]}, ["names 'potsdam' twice"]),
        ({"tasks__Mine": 1}, ["tasks.Mine"]),
        ({"datasets__oscd__root": ""}, ["datasets.oscd.root is ''"]),
        ({"datasets__oscd__splits": "train vla"}, ["oscd.splits", "'vla'"]),
        ({"datasets__oscd__splits": "train"}, ["specialists.oscd reads split val", "'train val'"]),
        (
            {"datasets__eurosat__splits": "train val"},
            ["tasks.eurosat reads split test", "set datasets.eurosat.splits='train val test'"],
        ),
        ({"datasets__oscd__simulated": None}, ["oscd is simulated", "oscd.source=archive"]),
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


@pytest.mark.parametrize("name", ["EuroSAT", "euro-sat", "euro.sat"])
def test_entries_are_named_as_files_and_stages_can_be(tmp_path, name):
    entry = yaml.safe_load(PARAMS.read_text())["datasets"]["eurosat"]
    with pytest.raises(EosfmError, match="expected small letters, digits and underscores"):
        load_params(changed(tmp_path, **{f"datasets__{name}": entry}))


def test_a_task_has_no_name_of_a_row_over_all_tasks(tmp_path):
    entry = yaml.safe_load(PARAMS.read_text())["tasks"]["eurosat"]
    with pytest.raises(EosfmError, match="'mean', which names a row of the metrics"):
        load_params(changed(tmp_path, tasks__mean=entry))


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text().replace("seed: 0\n", "seed: 0\nscale: full\n"))
    with pytest.raises(EosfmError, match='line 6: found duplicate key "scale"'):
        load_params(path)


def test_entries_share_defaults_and_may_differ(tmp_path):
    params = load_params(PARAMS)
    assert params.specialist("loveda").class_weights == "balanced"
    assert params.specialist("potsdam").class_weights == "none"
    assert params.task("biomassters").metric == "rmse" and params.task("pastis").metric == "miou"
    dearer = load_params(changed(tmp_path, defaults__specialists__lr=0.5))
    assert dearer.specialist("potsdam").lr == 0.5


def test_no_default_in_code_decides_a_result():
    """Every field stands in params.yaml, but for what a specialist may set for itself."""
    for model in (*vars(schema).values(), *vars(recipes).values()):
        if isinstance(model, type) and issubclass(model, fields.Frozen):
            optional = [k for k, field in model.model_fields.items() if not field.is_required()]
            assert not optional or issubclass(model, recipes.Given), model
    assert recipes.TrainOverrides().given == recipes.Published().given == {}
    assert set(recipes.TrainOverrides.model_fields) == set(recipes.ScaleTrain.model_fields)
    settings = {*recipes.Method.model_fields, *recipes.SpecialistParams.model_fields}
    assert set(recipes.Published.model_fields) < settings


def test_bands_are_words_or_a_list(tmp_path):
    words = load_params(changed(tmp_path, tasks__eurosat__bands="red  green"))
    listed = load_params(changed(tmp_path, tasks__eurosat__bands=["red", "green"]))
    assert words.task("eurosat") == listed.task("eurosat")
    assert words.task("eurosat").bands == ("red", "green")


def test_a_real_copy_stands_beside_a_simulated_one(tmp_path):
    real = {"reader": "eurosat", "tile": None, "splits": "train val", "simulated": None}
    real |= {"source": "archive", "root": "/d"}
    params = load_params(changed(tmp_path, datasets__eurosat_real=real))
    assert (params.source("eurosat"), params.source("eurosat_real")) == ("simulated", "archive")
    assert params.dataset("eurosat_real").reader == params.dataset("eurosat").reader == "eurosat"


def test_setting_a_value_with_dvc_keeps_names_of_band_sets(tmp_path):
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.read_text())
    before = load_params(path)
    apply_overrides(path, ["fusion.max_encoders=5", "+specialists.potsdam.lr=0.5"])
    after = path.read_text()
    assert after.count("*") == PARAMS.read_text().count("*")
    assert "# Everything that decides a result" in after
    params = load_params(path)
    assert params.fusion.max_encoders == 5 and params.specialist("potsdam").lr == 0.5
    same = before.model_copy(update={"fusion": params.fusion, "specialists": params.specialists})
    assert params == same


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
    assert full.imagenet and not params.imagenet
    assert not load_params(changed(tmp_path, scale="full", backbone__pretrained=False)).imagenet


def test_an_unknown_entry_suggests_a_near_one():
    with pytest.raises(EosfmError, match="did you mean 'eurosat_rgb'"):
        load_params(PARAMS).specialist("eurosat_rbg")


def test_an_entry_that_is_not_there_is_told(tmp_path):
    with pytest.raises(EosfmError, match=r"no entry tasks.nothing; .*valid: "):
        load_params(changed(tmp_path)).task("nothing")
