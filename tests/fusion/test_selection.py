import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from eosfm.fusion.selection import Selection

COUNT, KEEP, WIDTH = 12, 3, 8


class Problem:
    """Labels that need every one of the informative specialists; the others are noise."""

    def __init__(self, seed: int, informative: list[int], twins: dict[int, int] | None = None):
        self.generator = torch.Generator().manual_seed(seed)
        self.informative, self.twins = informative, twins or {}
        self.maps = self.draw(COUNT, 2, WIDTH)
        weights = self.draw(len(informative), 8)  # each specialist matters as much as the others
        self.weights = functional.normalize(weights).reshape(-1, 4)

    def draw(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator)

    def batch(self, size: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.draw(size, COUNT, 2)
        labels = (hidden[:, self.informative].flatten(1) @ self.weights).argmax(1)
        for twin, original in self.twins.items():
            hidden[:, twin] = hidden[:, original]
        images = torch.einsum("bnl,nlw->bnw", hidden, self.maps) + 0.5 * self.draw(
            size, COUNT, WIDTH
        )
        return functional.layer_norm(images, (WIDTH,)), labels


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.selection = Selection(COUNT, KEEP, **options)
        self.fuse = nn.Linear(COUNT * WIDTH, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        gated = features * self.selection()[:, None]
        return self.head(functional.leaky_relu(self.fuse(gated.flatten(1))))


def train(net: Net, problem: Problem, steps: int, lr: float = 2e-3, scale: float = 1.0) -> Net:
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)
    for _ in range(steps):
        features, labels = problem.batch()
        optimizer.zero_grad()
        (scale * functional.cross_entropy(net.train()(features), labels)).backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize("mode", ["topk", "smooth"])
@pytest.mark.parametrize("scale_features", [False, True])
def test_finds_the_specialists_that_help(mode, scale_features):
    torch.manual_seed(0)
    problem = Problem(0, [2, 7, 9])
    net = train(Net(mode=mode, scale_features=scale_features), problem, 250)
    assert net.selection.settled
    assert net.selection.selected == [2, 7, 9]
    gates = net.selection()
    assert gates.nonzero().flatten().tolist() == [2, 7, 9]
    if scale_features:
        assert not torch.equal(gates[gates != 0], torch.ones(KEEP))
    else:
        assert torch.equal(gates[gates != 0], torch.ones(KEEP))


def test_clear_evidence_settles_it_early():
    torch.manual_seed(0)
    selection = train(Net(), Problem(0, [2, 7, 9]), 80).selection
    assert selection.settled
    assert selection.selected == [2, 7, 9]


def test_keeps_one_of_each_pair_of_copies():
    torch.manual_seed(1)
    problem = Problem(1, [0, 5, 10], twins={1: 0, 6: 5, 11: 10})
    selected = train(Net(), problem, 400).selection.selected
    assert sorted({problem.twins.get(index, index) for index in selected}) == [0, 5, 10]


@pytest.mark.parametrize("mode", ["topk", "smooth"])
def test_saved_in_mid_schedule_it_continues_the_same(mode):
    torch.manual_seed(2)
    problem = Problem(2, [2, 7, 9], twins={3: 2, 8: 7, 10: 9})  # which take their time
    net = train(Net(mode=mode), problem, 50)
    assert not net.selection.settled
    restored = Net(mode=mode)
    restored.load_state_dict(copy.deepcopy(net.state_dict()))
    other = copy.deepcopy(problem)
    other.generator = torch.Generator()
    other.generator.set_state(problem.generator.get_state())
    train(net, problem, 60), train(restored, other, 60)
    for key, value in net.state_dict().items():
        assert torch.equal(value, restored.state_dict()[key]), key


def test_only_training_steps_advance_the_schedule():
    net, problem = Net(), Problem(3, [0, 1, 2])
    features, labels = problem.batch()
    before = copy.deepcopy(net.selection.state_dict())
    net.eval()(features).sum().backward()
    with torch.no_grad():
        net.train()(features)
    net(features)  # a forward that nobody learns from
    after = net.selection.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    functional.cross_entropy(net(features), labels).backward()
    assert int(net.selection.steps) == 1


def test_evaluation_in_between_changes_nothing():
    states = []
    for interrupted in (False, True):
        torch.manual_seed(4)
        problem, net = Problem(4, [0, 1, 2]), Net()
        optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
        for _ in range(40):
            features, labels = problem.batch()
            if interrupted:
                net.eval()(features)
            functional.cross_entropy(net.train()(features), labels).backward()
            optimizer.step()
        states.append(net.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_scale_of_the_loss_does_not_matter():
    choices = []
    for scale in (1.0, 1024.0):
        torch.manual_seed(5)
        choices.append(train(Net(), Problem(5, [3, 4, 8]), 60, scale=scale).selection)
    # AdamW is scale-free but for its epsilon, so the whole race must be.
    assert torch.equal(choices[0].active, choices[1].active)
    assert choices[0].selected == choices[1].selected


def test_overflowing_steps_are_not_observed():
    selection = Selection(4, 2)
    (selection() * torch.tensor([1.0, torch.inf, 1.0, 1.0])).sum().backward()
    assert int(selection.steps) == 0
    assert selection.missed.isfinite().all()


def learn(selection: Selection, steps: int, loss) -> Selection:
    """Let the gates alone, by ``loss(gates)``, drive the schedule."""
    for _ in range(steps):
        loss(selection()).backward()
    return selection


def test_the_useless_leave_together_and_the_useful_one_at_a_time():
    use = torch.tensor([0.0, 0.7, 0.0, 1.0, 0.8, 0.0, 0.9, 0.0])
    selection, departures = Selection(8, 2), {}
    for step in range(1, 65):
        before = int(selection.active.sum())
        learn(selection, 1, lambda gates: -(gates * use).sum())
        if int(selection.active.sum()) < before:
            departures[step] = selection.active.nonzero().flatten().tolist()
    assert departures == {16: [1, 3, 4, 6], 32: [3, 4, 6], 64: [3, 6]}
    assert selection.settled


def test_one_that_would_carry_more_is_preferred():
    # Both are missed as much when they sit out, but the first does all it can.
    selection = learn(Selection(2, 1), 16, lambda gates: gates[0] ** 2 / 2 - gates.sum())
    assert selection.selected == [1]


def test_of_those_that_all_do_harm_none_leaves_without_reason():
    generator = torch.Generator().manual_seed(0)
    selection = learn(
        Selection(8, 2),
        16,
        lambda gates: (gates * (1 + 0.2 * torch.randn(8, generator=generator))).sum(),
    )
    assert int(selection.active.sum()) >= 6


def test_every_specialist_sits_out_once_a_round():
    selection = Selection(10, 3)
    closed = torch.zeros(10)
    for _ in range(4):
        gates = selection()
        closed += gates.detach() == 0
        gates.sum().backward()
    assert torch.equal(closed, torch.ones(10))


def test_it_ends_even_without_evidence():
    selection = Selection(6, 2)
    for _ in range(4 * 12 * 4):
        assert not selection.settled
        (selection() * 0).sum().backward()
    assert selection.settled
    assert len(selection.selected) == 2
    assert torch.equal(selection(), selection.active.float())


@pytest.mark.parametrize("mode", ["topk", "smooth"])
def test_exactly_keep_are_selected_from_the_first_moment(mode):
    selection = Selection(9, 4, mode).eval()
    assert len(selection.selected) == 4
    assert int((selection() != 0).sum()) == 4


def test_smooth_gates_pass_through_values_between_zero_and_one():
    torch.manual_seed(6)
    net, problem = Net(mode="smooth"), Problem(6, [2, 7, 9])
    train(net, problem, 24)
    between = (net.selection.level > 0) & (net.selection.level < 1)
    assert between.any()
    assert ((net.selection.level >= 0) & (net.selection.level <= 1)).all()


def test_keeping_all_needs_no_race():
    selection = Selection(3, 3)
    assert selection.settled
    assert torch.equal(selection(), torch.ones(3))


def test_a_choice_can_be_settled_at_once():
    gates = Selection(6, 2).train()
    weights = torch.tensor([0.0, 3.0, 0.0, 0.0, 2.0, 0.0])
    for _ in range(12):
        (-(gates() * weights).sum()).backward()
    assert not gates.settled
    gates.settle()
    assert gates.settled and gates.selected == [1, 4]
    assert gates().tolist() == [0, 1, 0, 0, 1, 0]


def test_of_several_passes_in_a_step_one_speaks_for_its_turn():
    """Two dates in one backward pass, say: a round is four steps still, a quarter out in each."""
    selection, seen = Selection(COUNT, KEEP).train(), []
    for step in range(4):
        gates = [selection() for _ in range(4)]
        closed = torch.stack([gate == 0 for gate in gates])
        assert closed[0].sum() == COUNT // 4 and (closed == closed[0]).all()
        seen.append(closed[0])
        (sum(gates) * torch.arange(COUNT)).sum().backward()
        assert int(selection.steps) == step + 1
    assert torch.stack(seen).sum(0).tolist() == [1] * COUNT and int(selection.rounds) == 1


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_pass_that_is_computed_again_has_the_turn_that_it_had(reentrant):
    from torch.utils.checkpoint import checkpoint

    weight = torch.ones(COUNT, requires_grad=True)
    gradients, steps = [], []
    for again in (False, True):
        torch.manual_seed(0)
        selection = Selection(COUNT, KEEP).train()

        def loss(weight, selection=selection):
            return (selection() * weight.square().exp()).square().sum()

        weight.grad = None
        for _ in range(2):
            parts = [checkpoint(loss, weight, use_reentrant=reentrant) if again else loss(weight)
                     for _ in range(3)]  # fmt: skip
            sum(parts).backward()
        gradients.append(weight.grad)
        steps.append(int(selection.steps))
    torch.testing.assert_close(*gradients)
    assert steps == [2, 2]


def test_who_sits_out_does_not_depend_on_the_default_device():
    selection = Selection(COUNT, KEEP).train()
    expected = selection()
    with torch.device("meta"):
        torch.testing.assert_close(selection(), expected)
