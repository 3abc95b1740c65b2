from dataclasses import replace

import torch

from eosfm.encoding.randomize import randomize


def test_random_weights_depend_on_seed_and_name_alone(mixed):
    first, again, other = randomize(mixed, 0), randomize(mixed[1:], 0), randomize(mixed, 1)
    key = "stem_0.weight"
    assert torch.equal(first[1].state_dict[key], again[0].state_dict[key])
    assert not torch.equal(first[1].state_dict[key], other[1].state_dict[key])
    assert not torch.equal(first[0].state_dict[key], first[2].state_dict[key])
    assert replace(first[0], state_dict={}) == replace(mixed[0], state_dict={})
