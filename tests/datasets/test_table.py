"""The table of datasets."""

from pathlib import Path

import pytest

from eosfm.core.errors import EosfmError
from eosfm.datasets import DATASETS, get_dataset
from eosfm.params import load_params

REPOSITORY = Path(__file__).parents[2]


def test_names_are_keys_and_files():
    for name in DATASETS:
        assert get_dataset(name).name == name


def test_every_dataset_in_params_exists():
    assert set(load_params(REPOSITORY / "params.yaml").datasets) <= set(DATASETS)


def test_unknown_name_suggests_the_near_one():
    with pytest.raises(EosfmError, match=r"unknown dataset 'lovedA'; did you mean 'loveda'"):
        get_dataset("lovedA")


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_everyone_says_where_it_comes_from(name: str):
    source = get_dataset(name).source
    assert source.archives or source.download or source.manual
    assert source.homepage.startswith("http") and source.licence and source.citation
    for archive in source.files():
        assert archive.checksum is None or archive.checksum.split(":")[0] in ("md5", "sha256")
