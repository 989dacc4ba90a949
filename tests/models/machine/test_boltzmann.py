"""The general Boltzmann machine: connectivity, sequential Gibbs sampling, learning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium import kernels
from harmonium.likelihood.exact import exact_log_marginal, exact_log_partition
from harmonium.models.machine.colouring import colour_classes
from harmonium.objectives import Phases
from harmonium.sampling.path import Path
from harmonium.testing import check_model

RING = [[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]]
SEMI = [[0, 1], [1, 2], [0, 4], [1, 5], [2, 4], [3, 5]]  # lateral among the visible units, hidden ones summed out
FULL = [*SEMI, [4, 5]]

MACHINES = {
    "fully visible": lambda dtype=torch.float32: hm.BoltzmannMachine(5, dtype=dtype),
    "dense": lambda dtype=torch.float32: hm.BoltzmannMachine(4, 3, dtype=dtype),
    "ring": lambda dtype=torch.float32: hm.BoltzmannMachine(5, edges=RING, dtype=dtype),
    "semi-restricted": lambda dtype=torch.float32: hm.BoltzmannMachine(4, 2, edges=SEMI, dtype=dtype),
    "coupled hidden units": lambda dtype=torch.float32: hm.BoltzmannMachine(4, 2, edges=FULL, dtype=dtype),
}
OTHER_UNITS = [
    lambda: hm.BoltzmannMachine(hm.Spin(5)),
    lambda: hm.BoltzmannMachine(hm.Categorical(3, 3)),
    lambda: hm.BoltzmannMachine(hm.Binomial(3, 2), hm.Spin(2)),
    lambda: hm.BoltzmannMachine(hm.Mixed([hm.Bernoulli(2), hm.Categorical(1, 3)]), 2),
]


@pytest.mark.parametrize("name", MACHINES)
def test_enumeration_gradients_and_stationarity(name: str) -> None:
    check_model(MACHINES[name]())


@pytest.mark.parametrize("make", OTHER_UNITS, ids=lambda make: repr(make()))
def test_every_finite_unit_type_with_lateral_couplings(make: Callable[[], hm.BoltzmannMachine]) -> None:
    check_model(make())


def by_hand(machine: hm.BoltzmannMachine) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(states, W, b) over visible and hidden units together."""
    sizes = [machine.units(layer).size for layer in range(len(machine.names))]
    W, b = (
        torch.zeros(sum(sizes), sum(sizes)).double(),
        torch.cat([u.natural()[0] for u in machine.unit_layers()]).double(),
    )
    first = np.cumsum([0, *sizes])
    for name, (i, j) in machine.edges.items():
        rows, columns = slice(first[i], first[i + 1]), slice(first[j], first[j + 1])
        W[rows, columns] = machine.couplings[name].double()
        W[columns, rows] = machine.couplings[name].double().T
    return torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * sum(sizes)), W, b


@pytest.mark.parametrize("name", MACHINES)
def test_log_partition_is_that_of_one_symmetric_matrix(name: str) -> None:
    machine = MACHINES[name]()
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
        machine.constrain()
        s, W, b = by_hand(machine)
        log_p = 0.5 * ((s @ W) * s).sum(-1) + s @ b
        assert float(exact_log_partition(machine)) == pytest.approx(float(torch.logsumexp(log_p, 0)), abs=1e-5)
        v = torch.tensor([[0, 1, 1, 0, 1.0]])[:, : machine.visible.size]
        here = (s[:, : machine.visible.size] == v).all(-1)
        marginal = exact_log_marginal(machine, v)
        assert float(marginal) == pytest.approx(float(torch.logsumexp(log_p[here], 0)), abs=1e-5)


def test_annealing_brackets_the_exact_partition_function() -> None:
    """200 chains, 400 temperatures; bounds at three standard errors hold but for one in several hundred seeds."""
    machine = hm.BoltzmannMachine(8, 4)
    with torch.no_grad():
        for name in machine.edges:
            machine.couplings[name].normal_(0, 0.7, generator=torch.Generator().manual_seed(0))
        machine.constrain()
    exact = hm.log_partition(machine, method="exact").value
    chains = machine.pack(
        machine.sweep(machine.state_from_visible(torch.zeros(400, 8), hm.Stream(1)), hm.Stream(2), 300)
    )
    z = hm.log_partition(machine, method="ais", chains=200, temperatures=400, chains_from=chains)
    assert z.lower < exact < z.upper
    assert z.upper - z.lower < 0.5
    assert z.value == pytest.approx(exact, abs=0.1)


def test_fused_and_portable_walks_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same words, same order; comparisons fall within rounding in about one draw of a million."""
    machine = hm.BoltzmannMachine(40, edges=np.triu(np.random.default_rng(0).random((40, 40)) < 0.2, 1), seed=1)
    with torch.no_grad():
        machine.couplings["visible_visible"].mul_(80)
        machine.visible.bias.fill_(0.1)  # a field of zero but for rounding has either sign, and draws by it
    v = (torch.rand(50, 40, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    held = torch.zeros(40, dtype=torch.bool)
    held[:7] = True
    fused = machine.sweep((v,), hm.Stream(3), 3, clamp=(held, v))[0]
    monkeypatch.setattr(kernels, "is_fused", lambda x: False)
    portable = machine.sweep((v,), hm.Stream(3), 3, clamp=(held, v))[0]
    assert fused is not None and portable is not None
    assert torch.equal(fused, portable)
    assert torch.equal(fused[:, :7], v[:, :7])
    assert not torch.equal(fused[:, 7:], v[:, 7:])


def test_walks_over_several_blocks_of_units_follow_the_portable_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 units are three blocks, between which the inputs follow by products."""
    machine = hm.BoltzmannMachine(150, seed=1)
    with torch.no_grad():
        machine.couplings["visible_visible"].mul_(20)
        machine.visible.bias.fill_(0.1)
    v = (torch.rand(40, 150, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    fused = machine.sweep((v,), hm.Stream(3), 1)[0]
    monkeypatch.setattr(kernels, "is_fused", lambda x: False)
    portable = machine.sweep((v,), hm.Stream(3), 1)[0]
    assert fused is not None and portable is not None
    assert int((fused != portable).sum()) <= 2  # of 6,000 draws; a comparison may fall within rounding


def test_a_step_of_a_path_is_reversible() -> None:
    """At equilibrium as many chains go from i to j as from j to i: 400,000 chains, 5 standard errors.  There and there
    again, instead of there and back, is off by more than 20."""
    machine = hm.BoltzmannMachine(3)
    with torch.no_grad():
        machine.couplings["visible_visible"].copy_(torch.tensor([[0.0, 3, -2], [3, 0, 2.5], [-2, 2.5, 0]]))
        machine.visible.bias.copy_(torch.tensor([-1.0, -2.0, 0.5]))
        states = machine.visible.states(torch.arange(8))
        p = torch.softmax(machine.log_weight((states,)), 0)
    start = torch.multinomial(p, 400_000, True, generator=torch.Generator().manual_seed(0))
    path = Path(machine)
    one = torch.ones(len(start))
    after = path.step((states[start],), {}, one, hm.Stream(1).advance())[0]
    assert after is not None
    end = (after.long() * torch.tensor([1, 2, 4])).sum(-1)
    flow = torch.bincount(8 * start + end, minlength=64).view(8, 8).double()
    z = (flow - flow.T) / (flow + flow.T).clamp(min=1).sqrt()
    assert float(z.abs().max()) < 5


def test_clamped_units_condition_the_others() -> None:
    """p(s_1 = 1 | s_0 = 1) = sigmoid(W_01 + b_1): 20,000 chains, 5 standard errors (0.017)."""
    machine = hm.BoltzmannMachine(2)
    with torch.no_grad():
        machine.couplings["visible_visible"].copy_(torch.tensor([[0.0, 1.5], [1.5, 0.0]]))
        machine.visible.bias.copy_(torch.tensor([-2.0, -0.5]))
    s = hm.sample(machine, 20_000, sweeps=3, clamp=([True, False], [1.0, 0.0]))
    assert float(s[:, 0].min()) == 1
    assert float(s[:, 1].mean()) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.017)


def test_learning_a_distribution_without_hidden_units() -> None:
    """A fully visible machine has the pair correlations of its data at the maximum of the likelihood."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 2000)
    data = np.stack([first, first ^ (rng.random(2000) < 0.2), rng.integers(0, 2, 2000)], 1)
    machine = hm.BoltzmannMachine(3)
    hm.fit(machine, data, objective=hm.Exact(), epochs=60, batch_size=500, learning_rate=0.5)
    states = hm.sample(machine, 20_000, sweeps=20)
    model = (states.T @ states / len(states)).numpy()
    assert model == pytest.approx(data.T @ data / len(data), abs=0.02)  # 5 standard errors of 20,000 draws
    W = machine.couplings["visible_visible"].detach()
    assert torch.equal(W, W.T) and float(W.diagonal().abs().max()) == 0


@pytest.mark.parametrize("name", ["dense", "coupled hidden units", "semi-restricted"])
def test_persistent_chains_learn_machines_with_lateral_couplings(name: str) -> None:
    """PCD with a mean field ends within 0.05 nats of what the exact gradient reaches (about -1.5 to -2.0)."""
    rows = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0.0]])
    noise = (torch.rand(10, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    data = torch.cat((rows.repeat(30, 1), noise))

    def reached(objective: hm.objectives.TwoPhase) -> float:
        machine = MACHINES[name]()
        hm.fit(
            machine,
            data,
            objective=objective,
            epochs=200,
            batch_size=100,
            learning_rate=hm.schedules.Linear(0.2),
            seed=1,
        )
        with torch.no_grad():
            return float((exact_log_marginal(machine, data) - exact_log_partition(machine)).mean())

    exact = reached(hm.Exact())
    assert exact > -2.1  # independent units: -2.7
    assert reached(hm.PCD(k=5, chains=200)) == pytest.approx(exact, abs=0.05)


def test_centering_leaves_the_fixed_point_of_a_lateral_machine_alone() -> None:
    """Where data and model agree, no metric moves anything: one exact step from the optimum stays there."""
    machine = hm.BoltzmannMachine(3, dtype=torch.float64)
    with torch.no_grad():
        machine.couplings["visible_visible"].copy_(torch.tensor([[0, 1, -1], [1, 0, 0.5], [-1, 0.5, 0]]))
        machine.visible.bias.copy_(torch.tensor([0.3, -0.2, 0.1]))
    states = machine.visible.states(torch.arange(8))
    weight = torch.exp(machine.log_weight((states,)) - exact_log_partition(machine)).detach()
    before = [p.detach().clone() for p in machine.parameters()]
    for metric in ("plain", "centered"):
        hm.fit(
            machine, states, objective=hm.Exact(), sample_weight=weight, epochs=3, batch_size=8, learning_rate=1.0,
            metric=metric, initialise=False,
        )  # fmt: skip
        for p, old in zip(machine.parameters(), before, strict=True):
            torch.testing.assert_close(p.detach(), old, rtol=0, atol=1e-12)


def test_a_centered_step_is_the_plain_step_of_a_centered_machine() -> None:
    """One SGD step in E = -(s-m)W(s-m)/2 - b(s-m), written out by hand, against the metric's."""
    machine = hm.BoltzmannMachine(3, dtype=torch.float64, seed=4)
    data = torch.tensor([[0, 1, 1], [1, 1, 0], [1, 1, 1], [0, 0, 1]], dtype=torch.float64)
    m = data.mean(0)
    W = machine.couplings["visible_visible"].detach().clone()
    states = machine.visible.states(torch.arange(8))
    with torch.no_grad():
        machine.visible.bias.copy_(torch.logit(m * 4 / 5 + 0.1))
    b = machine.visible.bias.detach().clone()
    p = torch.exp(machine.log_weight((states,)) - exact_log_partition(machine)).detach()
    c = states - m
    dW = ((data - m).T @ (data - m)) / 4 - (c.T * p) @ c
    dW.fill_diagonal_(0)
    db = data.mean(0) - p @ states
    rate = 0.3
    new_W = W + rate * dW
    new_b = b + W @ m + rate * db - new_W @ m
    hm.fit(
        machine, data, objective=hm.Exact(), epochs=1, batch_size=4, learning_rate=rate, initialise=False,
        metric=hm.training.Centered(rate=0),
    )  # fmt: skip
    torch.testing.assert_close(machine.couplings["visible_visible"].detach(), new_W, rtol=0, atol=1e-12)
    torch.testing.assert_close(machine.visible.bias.detach(), new_b, rtol=0, atol=1e-12)


def test_colour_classes_have_no_couplings_and_cover_all() -> None:
    mask = torch.as_tensor(np.random.default_rng(0).random((60, 60)) < 0.1)
    mask = (mask | mask.T).fill_diagonal_(False)
    classes = colour_classes(mask, 60)
    assert sorted(torch.cat(classes).tolist()) == list(range(60))
    assert all(not bool(mask[c][:, c].any()) for c in classes)
    assert len(classes) <= int(mask.sum(1).max()) + 1
    assert [len(c) for c in colour_classes(~torch.eye(4, dtype=torch.bool), 4)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([[0, 0]], "couples unit 0 with itself"),
        ([[0, 9]], "edges has the unit 9"),
        ([[0, -1]], "edges has the unit -1"),
        (np.zeros((0, 2), int), "at least one pair"),
        ([[0.5, 1]], "integers"),
        (np.eye(4, dtype=bool), "diagonal of the mask must be false"),
        ([[0, 1]], "whole hidden layer without couplings"),
    ],
)
def test_impossible_edges(edges: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hm.BoltzmannMachine(3, 1, edges)


def test_layers_given_twice_are_not_tied() -> None:
    units = hm.Bernoulli(4)
    dbm = hm.DBM([units, units, units])
    assert len(list(dbm.parameters())) == 5
    assert dbm.visible is not units


def test_sparsity_pushes_both_ends_of_a_lateral_coupling() -> None:
    """A coupling feeds m_j into unit i and m_i into unit j: its force is f_i m_j + m_i f_j, f = q - target."""
    machine = hm.BoltzmannMachine(2, 3)
    penalty = hm.training.Sparsity(target=0.1, cost=1.0, decay=0.0)
    m = {"visible_bias": torch.tensor([0.4, 0.7]), "hidden_bias": torch.tensor([0.2, 0.5, 0.9])}
    for parameter in machine.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.no_grad():
        penalty.add_to_gradients(machine, Phases(m, m), penalty.init_state(machine))
    f = m["hidden_bias"] - 0.1
    lateral = f.unsqueeze(-1) * m["hidden_bias"] + m["hidden_bias"].unsqueeze(-1) * f
    grads = {name: parameter.grad for name, parameter in machine.parameters_by_name().items()}
    torch.testing.assert_close(grads["hidden_hidden"], lateral.fill_diagonal_(0))
    torch.testing.assert_close(grads["weights"], m["visible_bias"].unsqueeze(-1) * f)
    torch.testing.assert_close(grads["hidden_bias"], f)
