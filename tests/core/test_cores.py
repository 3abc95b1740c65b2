import warnings

import pytest
import torch
from torch.utils.data import DataLoader

from eosfm.core.cores import CORES, loaders, quotas, usable_cores


def test_no_more_loaders_than_cores():
    cores = usable_cores()
    assert [loaders(count) for count in (0, 1, cores, cores + 7)] == [0, 1, cores, cores]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DataLoader(torch.zeros(2), num_workers=loaders(cores + 7))


def test_no_more_than_the_environment_allows(monkeypatch):
    there = usable_cores()
    for told, expected in (("1", 1), ("1000", there), ("0", 1)):
        monkeypatch.setenv(CORES, told)
        assert usable_cores() == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, [2]),
        ("0::/\n", {"cpu.max": "max 100000\n"}, []),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "400000 100000\n"}, [4]),
        ("0::/of/the/machine\n", {"cpu.max": "50000 100000\n"}, [1]),
        (
            "3:memory:/a\n2:cpuacct,cpu:/a\n0::/a\n",
            {
                "cpu/a/cpu.cfs_quota_us": "300000\n",
                "cpu/a/cpu.cfs_period_us": "100000\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            [3],
        ),
        ("2:cpuset:/\n", {"cpu.max": "100000 100000\n"}, []),
    ],
)
def test_containers_and_slices_limit_cores(tmp_path, own, files, expected):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "own").write_text(own)
    assert list(quotas(tmp_path, tmp_path / "own")) == expected
    assert list(quotas(tmp_path, tmp_path / "elsewhere")) == []
