"""What every method of fusion promises; a method's test names it in a subclass."""

import itertools

import pytest
import torch

from eosfm.encoding.input import InputSpec
from eosfm.fusion.fuser import Fuser
from eosfm.fusion.normalizers import NORMALIZERS

CHANNELS = (4, 6)
INPUTS = [InputSpec(name, CHANNELS, index) for name, index in (("a", 0), ("b", 1), ("b", 1),
                                                               ("c", 3), ("d", 4))]  # fmt: skip
GATES = {
    "all": {},
    "topk": {"max_encoders": 2},
    "topk scaled": {"max_encoders": 2, "scale_features": True},
    "smooth": {"max_encoders": 2, "selection": "smooth"},
    "smooth scaled": {"max_encoders": 2, "selection": "smooth", "scale_features": True},
}


def pyramids(count=5, batch=2, seed=0, size=(8, 8)):
    generator = torch.Generator().manual_seed(seed)
    sizes = [[-(-side // 2**k) for side in size] for k in range(len(CHANNELS))]
    return [
        [torch.randn(batch, width, *cells, generator=generator)
         for width, cells in zip(CHANNELS, sizes, strict=True)]
        for _ in range(count)
    ]  # fmt: skip


def train_a_little(fuser, steps=5):
    optimizer = torch.optim.AdamW(fuser.parameters(), 1e-2) if list(fuser.parameters()) else None
    for step in range(steps):
        loss = sum(level.square().mean() for level in fuser.train()(pyramids(seed=step)))
        if not loss.requires_grad:
            return
        loss.backward()
        if optimizer:
            optimizer.step()
            optimizer.zero_grad()


def same(found, expected):
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ("normalize", "projection", "gates"),
    [*itertools.product(NORMALIZERS, (False, True), ["all"]),
     *itertools.product(["batch"], [True], list(GATES)[1:])],
)  # fmt: skip
class FusionContract:
    """Subclass it with the method's name, and the width that it gives five maps of 4 channels."""

    fusion: str
    width: int

    @pytest.fixture
    def fuser(self, normalize, projection, gates):
        torch.manual_seed(0)
        options = {"fusion": self.fusion, "normalize": normalize, "projection": projection}
        return Fuser(INPUTS, width_multiplier=1.5, **options, **GATES[gates])

    def test_shapes_of_any_size(self, fuser):
        assert fuser.out_channels[0] == self.width
        for size, batch in (((8, 8), 2), ((7, 3), 1), ((1, 1), 1)):
            given = pyramids(batch=batch, size=size)
            for mode in (True, False):
                for level, k in zip(fuser.train(mode)(given), range(2), strict=True):
                    assert level.shape == (batch, fuser.out_channels[k], *given[0][k].shape[2:])
                    assert level.isfinite().all()

    def test_gradients_reach_every_weight(self, fuser):
        maps = fuser(pyramids())
        if any(level.requires_grad for level in maps):
            sum((level * level.detach().cos()).sum() for level in maps).backward()
        for weight in fuser.mixers.parameters():
            assert weight.grad is not None and weight.grad.abs().sum() > 0

    def test_frozen_weights_stay_so_when_pruned(self, fuser):
        small = fuser.requires_grad_(False).prune()
        assert not any(weight.requires_grad for weight in small.parameters())

    def test_pruned_gives_the_same_from_the_selected_alone(self, fuser, gates):
        train_a_little(fuser)
        with torch.no_grad():
            whole = fuser.eval()(pyramids())
            assert len(fuser.selected) == (4 if gates == "all" else 2)
            small = fuser.prune()
            assert not small.training
            indices = [i for i, spec in enumerate(INPUTS) if spec.name in fuser.selected]
            assert small.inputs == tuple(INPUTS[i] for i in indices)
            assert small.out_channels == fuser.out_channels
            same(small([pyramids()[i] for i in indices]), whole)
            smaller = small.keep(range(len(small.inputs)))
            same(smaller([pyramids()[i] for i in indices]), whole)

    def test_saved_and_loaded_gives_the_same_bits(self, fuser):
        train_a_little(fuser)
        for one in (fuser.eval(), fuser.prune()):
            again = Fuser.from_settings(one.settings()).eval()
            again.load_state_dict(one.state_dict())
            given = pyramids(len(one.inputs))
            for level, expected in zip(again(given), one(given), strict=True):
                assert torch.equal(level, expected)
