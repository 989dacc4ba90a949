"""Metrics against the models whose gradient they claim to follow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.models import RBM
from harmonium.objectives import Batch, Exact
from harmonium.testing.numeric import scatter
from harmonium.training.metrics import Centered, Diagonal, Metric, Plain, as_metric
from harmonium.training.natural import NaturalGradient

Make = Callable[..., RBM]
Grads = dict[str, torch.Tensor]


def cases(rows: int, n: int, seed: int = 0) -> torch.Tensor:
    p = np.linspace(0.1, 0.8, n)
    return torch.as_tensor((np.random.default_rng(seed).random((rows, n)) < p).astype(np.float64))


def direction(
    rbm: hm.models.Machine, v: torch.Tensor, metric: Metric, state: dict[str, torch.Tensor] | None = None
) -> Grads:
    """The direction of ascent after the metric."""
    state = metric.init_state(rbm, v.mean(0), v.var(0, correction=0)) if state is None else state
    phases = Exact().gradient(rbm, Batch(v), {}, Stream(0))
    parameters = rbm.parameters_by_name()
    start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    step = torch.optim.SGD(parameters.values(), lr=1.0)
    with torch.no_grad():
        with metric.coordinates(rbm, phases, state):
            step.step()
        moved = {name: parameter - start[name] for name, parameter in parameters.items()}
        for name, parameter in parameters.items():
            parameter.copy_(start[name])
    return moved


def assert_same(found: Grads, expected: Grads, rel: float = 1e-10) -> None:
    for name, value in expected.items():
        assert found[name].detach().numpy() == pytest.approx(value.detach().numpy(), rel=rel, abs=1e-13), name


def explicit(rbm: RBM, v: torch.Tensor, m: torch.Tensor, l: torch.Tensor, sv: torch.Tensor, sh: torch.Tensor) -> Grads:  # noqa: E741
    """The step of a model E = -x'W~y - b~'x - c~'y in x = (v - m) / sv, y = (h - l) / sh, by autograd, in plain terms.

    v.W.h + b.v + c.h + const is the same energy with W = W~ / (sv sh'), b = b~ / sv - W l, c = c~ / sh - W'm.
    """
    W, b, c = (torch.as_tensor(a) for a in rbm.to_arrays())
    n, k = W.shape
    Wt = (W * sv[:, None] * sh).requires_grad_()
    bt = ((b + W @ l) * sv).requires_grad_()
    ct = ((c + W.T @ m) * sh).requires_grad_()

    def states(size: int) -> torch.Tensor:
        return torch.tensor([[i >> j & 1 for j in range(size)] for i in range(2**size)], dtype=torch.float64)

    def minus_energy(v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        x, y = (v - m) / sv, (h - l) / sh
        return x @ Wt @ y.T + (x @ bt)[:, None] + (y @ ct)[None]

    h = states(k)
    log_likelihood = torch.logsumexp(minus_energy(v, h), 1).mean() - torch.logsumexp(
        minus_energy(states(n), h).flatten(), 0
    )
    dW, db, dc = torch.autograd.grad(log_likelihood, (Wt, bt, ct))
    dW = dW / (sv[:, None] * sh)
    return {"weights": dW, "visible_bias": db / sv - dW @ l, "hidden_bias": dc / sh - dW.T @ m}


def test_plain_changes_nothing(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(20, 4)
    assert_same(direction(rbm, v, Plain()), hm.gradient(rbm, v, objective=hm.Exact()).difference, 1e-15)


def test_centered_is_the_gradient_of_an_explicitly_centered_model(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(20, 4)
    metric = Centered(rate=0)
    state = metric.init_state(rbm, v.mean(0), v.var(0))
    m, l = state["offset.visible"].clone(), state["offset.hidden"].clone()  # noqa: E741
    assert m.numpy() == pytest.approx(v.mean(0).numpy())
    assert l.detach().numpy() == pytest.approx(rbm.hidden_mean(v.mean(0)[None])[0].detach().numpy())
    one = torch.ones(4).double(), torch.ones(3).double()
    assert_same(direction(rbm, v, metric, state), explicit(rbm, v, m, l, *one))
    assert torch.equal(state["offset.visible"], m)  # rate 0: the offsets stay
    # with zero offsets it is the plain gradient
    zero = {name: torch.zeros_like(offset) for name, offset in state.items()}
    assert_same(direction(rbm, v, metric, zero), direction(rbm, v, Plain()))


def test_centered_by_the_formula(make_rbm: Make) -> None:
    """dW = <(v - m)(h - l)'> between the phases, db = d<v> - dW l, dc = d<h> - dW' m."""
    rbm, v = make_rbm(4, 3), cases(20, 4)
    rng = np.random.default_rng(1)
    m, l = torch.as_tensor(rng.random(4)), torch.as_tensor(rng.random(3))  # noqa: E741
    found = direction(rbm, v, Centered(rate=0), {"offset.visible": m.clone(), "offset.hidden": l.clone()})
    g = hm.gradient(rbm, v, objective=hm.Exact())

    def centered(phase: Grads) -> torch.Tensor:
        vh, vm, hm_ = phase["weights"], phase["visible_bias"], phase["hidden_bias"]
        return vh - torch.outer(m, hm_) - torch.outer(vm, l) + torch.outer(m, l)

    dW = centered(g.positive) - centered(g.negative)
    expected = {
        "weights": dW, "visible_bias": g.difference["visible_bias"] - dW @ l,
        "hidden_bias": g.difference["hidden_bias"] - dW.T @ m,
    }  # fmt: skip
    assert_same(found, expected)


@pytest.mark.parametrize(
    "machine",
    [hm.DBM([4, 3, 2], dtype=torch.float64), hm.BoltzmannMachine(4, 3, dtype=torch.float64)],
    ids=["deep", "lateral"],
)
def test_centered_by_the_formula_in_any_machine(machine: hm.models.Machine) -> None:
    """Every coupling as in an RBM; what offsets send through all couplings of a layer comes off its bias."""
    scatter(machine, Stream(1), 0.8)
    machine.constrain()
    names, v = machine.names, cases(20, 4)
    rng = np.random.default_rng(1)
    offsets = [torch.as_tensor(rng.random(machine.units(layer).size)) for layer in range(len(names))]
    state = {f"offset.{name}": o.clone() for name, o in zip(names, offsets, strict=True)}
    found = direction(machine, v, Centered(rate=0), state)
    g = hm.gradient(machine, v, objective=hm.Exact()).difference
    slopes = [g[f"{name}_bias"] for name in names]
    expected = {f"{name}_bias": slope.clone() for name, slope in zip(names, slopes, strict=True)}
    for name, (a, b) in machine.edges.items():
        dW = g[name] - torch.outer(offsets[a], slopes[b]) - torch.outer(slopes[a], offsets[b])
        expected[name] = machine.form(name).settle_(dW)
        expected[f"{names[a]}_bias"] -= dW @ offsets[b]
        if a != b:
            expected[f"{names[b]}_bias"] -= dW.T @ offsets[a]
    assert_same(found, expected)


def test_offsets_follow_the_data(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(20, 4)
    metric = Centered(rate=0.25)
    state = metric.init_state(rbm, torch.full((4,), 0.5).double(), torch.ones(4))
    before = {name: offset.clone() for name, offset in state.items()}
    found = direction(rbm, v, metric, state)
    positive = hm.gradient(rbm, v, objective=hm.Exact()).positive
    for layer in ("visible", "hidden"):
        expected = 0.75 * before[f"offset.{layer}"] + 0.25 * positive[f"{layer}_bias"]
        assert state[f"offset.{layer}"].numpy() == pytest.approx(expected.numpy(), rel=1e-13)
    assert_same(found, direction(rbm, v, Centered(rate=0), state))  # the moved offsets are those used


@pytest.mark.parametrize("metric", [Centered(), Centered(rate=0), Diagonal(rate=0.1)])
def test_flipped_data_give_the_flipped_model(make_rbm: Make, metric: Metric) -> None:
    """The plain update of the negative differs; the centered one is the same model seen from the other side."""
    rbm, v = make_rbm(4, 3), cases(20, 4)

    def flip(W: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return -W, -b, c + W.sum(0)  # v -> 1 - v leaves p(1 - v, h) as p(v, h)

    def updated(arrays: tuple[torch.Tensor, ...], v: torch.Tensor, metric: Metric) -> tuple[torch.Tensor, ...]:
        rbm = RBM.from_arrays(*arrays)
        step = direction(rbm, v, metric)
        return tuple(torch.as_tensor(a) + 0.1 * step[name] for a, name in zip(rbm.to_arrays(), step, strict=True))

    start = tuple(torch.as_tensor(a) for a in rbm.to_arrays())
    there = updated(flip(*start), 1 - v, metric)
    here = flip(*updated(start, v, metric))
    for a, b in zip(there, here, strict=True):
        assert a.numpy() == pytest.approx(b.numpy(), rel=1e-10)
    plain = updated(flip(*start), 1 - v, Plain()), flip(*updated(start, v, Plain()))
    assert float((plain[0][0] - plain[1][0]).abs().max()) > 1e-3


def test_diagonal_is_the_gradient_of_a_standardised_model(make_rbm: Make) -> None:
    """Scaled by variances relative to their layer's mean: floors far away, it is the standardised model's step."""
    rbm, v = make_rbm(4, 3, scale=0.5), cases(50, 4)
    metric = Diagonal(rate=0, floor=1e-6)
    state = metric.init_state(rbm, v.mean(0), v.var(0, correction=0))
    m, l = state["offset.visible"].clone(), state["offset.hidden"].clone()  # noqa: E741
    q = rbm.hidden_mean(m[None])[0].detach()
    vv, vh = v.var(0, correction=0), q * (1 - q)
    expected = explicit(rbm, v, m, l, (vv / vv.mean()).sqrt(), (vh / vh.mean()).sqrt())
    assert_same(direction(rbm, v, metric, state), expected)


def test_diagonal_reduces_to_centered_where_variances_are_equal() -> None:
    rbm = RBM.from_arrays(np.zeros((4, 3)), np.array([0.3, -1.0, 0.0, 2.0]), np.zeros(3))
    v = cases(20, 4)
    equal = torch.full((4,), 0.2, dtype=torch.float64)
    states = [metric.init_state(rbm, v.mean(0), equal) for metric in (Centered(), Diagonal())]
    assert_same(direction(rbm, v, Diagonal(), states[1]), direction(rbm, v, Centered(), states[0]))


def test_constant_units_are_left_unscaled(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(20, 4)
    v[:, 1] = 1
    metric = Diagonal(rate=0, floor=0.1)
    found = direction(rbm, v, metric)
    assert all(bool(torch.isfinite(value).all()) for value in found.values())
    variance = v.var(0, correction=0)
    assert float(variance[1]) == 0
    # that row of W is scaled by the hidden variances alone
    q = rbm.hidden_mean(v.mean(0)[None])[0].detach()
    relative = (q * (1 - q) / (q * (1 - q)).mean()).clamp(min=0.1)
    expected = direction(rbm, v, Centered(rate=0))["weights"][1] / relative
    assert found["weights"][1].numpy() == pytest.approx(expected.numpy(), rel=1e-10)
    everywhere = direction(rbm, torch.ones_like(v), metric)
    assert all(bool(torch.isfinite(value).all()) for value in everywhere.values())


def test_variances_below_the_floor_count_as_the_floor(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(20, 4)
    variance = torch.tensor([0.2, 0.2, 0.01, 0.2], dtype=torch.float64)  # the third: 0.066 of the mean
    found, expected = (
        direction(rbm, v, metric, metric.init_state(rbm, v.mean(0), spread))
        for metric, spread in (
            (Diagonal(rate=0, floor=0.5), variance),
            (Diagonal(rate=0, floor=1e-6), torch.where(variance < 0.1, 0.5 * variance.mean(), variance)),
        )
    )
    # The mean of the second is larger by a factor, and with it all steps on visible units' weights.
    factor = float(torch.where(variance < 0.1, 0.5 * variance.mean(), variance).mean() / variance.mean())
    torch.testing.assert_close(found["weights"] * factor, expected["weights"], rtol=1e-12, atol=1e-14)


def test_an_update_uphill_stays_uphill(make_rbm: Make) -> None:
    """Metrics are positive definite: a small step along the direction raises the likelihood."""
    v = cases(50, 4)
    for seed in range(5):
        for metric in (Plain(), Centered(), Diagonal()):
            rbm = make_rbm(4, 3, seed=seed)
            before = hm.evaluate(rbm, v.numpy()).mean
            step = direction(rbm, v, metric)
            stepped = RBM.from_arrays(
                *[torch.as_tensor(a) + 1e-3 * step[name] for a, name in zip(rbm.to_arrays(), step, strict=True)]
            )
            assert hm.evaluate(stepped, v.numpy()).mean > before


def test_gaussian_units_center_too() -> None:
    rbm = hm.RBM(hm.Gaussian(3), 2, dtype=torch.float64)
    v = torch.as_tensor(np.random.default_rng(0).standard_normal((20, 3)) + 2)
    plain, centered = direction(rbm, v, Plain()), direction(rbm, v, Centered(rate=0))
    assert torch.equal(plain["visible_log_variance"], centered["visible_log_variance"])
    m = v.mean(0)
    q = rbm.hidden_mean(m[None])[0].detach()
    expected = plain["weights"] - torch.outer(m, plain["hidden_bias"]) - torch.outer(plain["visible_bias"], q)
    assert centered["weights"].numpy() == pytest.approx(expected.numpy(), rel=1e-10, abs=1e-13)


def test_a_stack_is_its_members(make_rbm: Make) -> None:
    members = [make_rbm(4, 3, seed=seed) for seed in range(2)]
    stack = RBM.from_arrays(*[np.stack(pair) for pair in zip(*[member.to_arrays() for member in members], strict=True)])
    v = cases(20, 4)
    both = torch.stack((v, 1 - v))
    for metric in (Centered(rate=0.1), Diagonal(rate=0.1)):
        state = metric.init_state(stack, both.mean(-2), both.var(-2, correction=0))
        found = direction(stack, both, metric, state)
        for r, member in enumerate(members):
            for name, single in direction(member, both[r], metric).items():
                assert found[name][r].numpy() == pytest.approx(single.numpy(), rel=1e-9, abs=1e-12)


def test_names() -> None:
    assert as_metric("plain") == Plain() and as_metric("centered") == Centered() and as_metric("diagonal") == Diagonal()
    assert as_metric(Centered(0.5)) == Centered(0.5)
    assert as_metric("natural") == NaturalGradient()
    with pytest.raises(ValueError, match="metric must be one of plain, centered, diagonal, natural"):
        as_metric("steepest")
    assert Diagonal(0.2, floor=0.3).config() == {"type": "Diagonal", "rate": 0.2, "floor": 0.3}
