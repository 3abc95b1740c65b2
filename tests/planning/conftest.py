"""A small project, and small tasks as they are planned and as they are run."""

import pytest
import yaml

from eosfm.encoding.artifact import load_artifact
from eosfm.features.encode import task_encoder
from eosfm.params import Params, load_params
from eosfm.planning.stores import PlannedStore
from eosfm.planning.tasks import PlannedTask
from tests.fixtures.tasks import BACKBONE, COUNTS, DATES, ROOT, SIZE, dataset


@pytest.fixture(scope="session")
def real() -> Params:
    """The project's own params."""
    return load_params(ROOT / "params.yaml")


def planned_fixture(name: str) -> PlannedStore:
    """The plan of a fixture's store."""
    dates = len(DATES.get(name, ("one",)))
    return PlannedStore(name, dataset(name), True, False, COUNTS, (SIZE, SIZE), dates, SIZE)


@pytest.fixture(scope="session")
def plan_task(resolve, artifact):
    """``plan_task(name, max_gb, **changes)``: a fixture's task as it is planned."""

    def make(name, max_gb, **changes) -> PlannedTask:
        task = resolve(name, **changes)
        inputs = task_encoder(task, load_artifact(artifact)).inputs
        return PlannedTask(task, planned_fixture(name), BACKBONE, inputs, max_gb)

    return make


KEPT = {"datasets": ("oscd", "eurosat"), "specialists": ("oscd",), "tasks": ("eurosat",)}
"""What is left of params.yaml in a small project."""


@pytest.fixture
def project(tmp_path):
    """``project(change)``: a folder with params.yaml of two datasets, changed."""
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\nno_scm = true\n")

    def make(change=lambda params: None):
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["ensemble"] = ["oscd"]
        for section, names in KEPT.items():
            params[section] = {name: params[section][name] for name in names}
        change(params)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
        return tmp_path

    return make
