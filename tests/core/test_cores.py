import warnings

import torch
from torch.utils.data import DataLoader

from eosfm.core.cores import loaders, usable_cores


def test_no_more_loaders_than_cores():
    cores = usable_cores()
    assert [loaders(count) for count in (0, 1, cores, cores + 7)] == [0, 1, cores, cores]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DataLoader(torch.zeros(2), num_workers=loaders(cores + 7))
