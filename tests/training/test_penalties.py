"""Penalties against their formulas and difference quotients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.models import RBM
from harmonium.objectives import CD, Batch
from harmonium.testing.numeric import scatter
from harmonium.training.penalties import Sparsity, WeightDecay

Make = Callable[..., RBM]


def cases() -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).integers(0, 2, (30, 4)).astype(np.float64))


def added(
    rbm: hm.models.Machine, penalty: Sparsity | WeightDecay, state: dict[str, torch.Tensor], v: torch.Tensor
) -> dict[str, torch.Tensor]:
    phases = CD(1).gradient(rbm, Batch(v), {}, Stream(0))
    before = {
        name: parameter.grad.clone()
        for name, parameter in rbm.parameters_by_name().items()
        if parameter.grad is not None
    }
    with torch.no_grad():
        penalty.add_to_gradients(rbm, phases, state)
    return {
        name: parameter.grad - before[name]
        for name, parameter in rbm.parameters_by_name().items()
        if parameter.grad is not None
    }


def test_weight_decay(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    W = torch.as_tensor(rbm.to_arrays()[0])
    W[0, 0] = 0
    rbm.couplings["weights"].data[0, 0] = 0
    found = added(rbm, WeightDecay(l2=0.3, l1=0.02), {}, cases())
    # descent on l2 / 2 |W|^2 + l1 |W|, added to .grad
    assert found["weights"].numpy() == pytest.approx((0.3 * W + 0.02 * W.sign()).numpy(), rel=1e-12, abs=1e-14)
    assert float(found["visible_bias"].abs().sum() + found["hidden_bias"].abs().sum()) == 0
    nothing = added(rbm, WeightDecay(), {}, cases())
    assert all(float(value.abs().sum()) == 0 for value in nothing.values())


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weight_decay_settings(value: float) -> None:
    with pytest.raises(ValueError, match=r"WeightDecay\(l2=...\) must be "):
        WeightDecay(l2=value)
    with pytest.raises(ValueError, match=r"WeightDecay\(l1=...\)"):
        WeightDecay(l1=value)


def test_sparsity_by_the_formula(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases()
    penalty = Sparsity(target=0.2, cost=0.5, decay=0.75)
    state = penalty.init_state(rbm)
    assert state["hidden"].tolist() == [0.2] * 3
    found = added(rbm, penalty, state, v)
    q = 0.75 * 0.2 + 0.25 * rbm.hidden_mean(v).detach().mean(0)
    assert state["hidden"].numpy() == pytest.approx(q.numpy(), rel=1e-12)
    assert found["hidden_bias"].numpy() == pytest.approx((0.5 * (q - 0.2)).numpy(), rel=1e-10)
    assert found["weights"].numpy() == pytest.approx(torch.outer(v.mean(0), 0.5 * (q - 0.2)).numpy(), rel=1e-10)
    assert float(found["visible_bias"].abs().sum()) == 0


@pytest.mark.parametrize(
    "machine",
    [hm.DBM([4, 3, 2], dtype=torch.float64), hm.BoltzmannMachine(4, 3, dtype=torch.float64)],
    ids=["deep", "lateral"],
)
def test_sparsity_reaches_a_layer_through_all_its_couplings(machine: hm.models.Machine) -> None:
    """The force on a layer is a slope in its input: by the chain rule, that of force . input with states held."""
    scatter(machine, Stream(1), 1.0)
    machine.constrain()
    penalty, v = Sparsity(target=0.2, cost=0.5, decay=0.75), cases()
    state = penalty.init_state(machine)
    found = added(machine, penalty, state, v)
    means = machine.mean_states(machine.infer(v))
    loss = torch.zeros((), dtype=torch.float64)
    for layer, name in enumerate(machine.names):
        if layer:
            q = 0.75 * 0.2 + 0.25 * means[layer].detach()
            torch.testing.assert_close(state[name], q, rtol=1e-12, atol=0)
            total = machine.inputs(layer, tuple(m.detach().unsqueeze(0) for m in means)) + machine.units(layer).bias
            loss = loss + (0.5 * (q - 0.2) * total[0]).sum()
    parameters = machine.parameters_by_name()
    slopes = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    for (name, parameter), slope in zip(parameters.items(), slopes, strict=True):
        expected = torch.zeros_like(parameter) if slope is None else slope.clone()
        if name in machine.lateral.values():  # W_ij and W_ji are one parameter, that holds the slopes of both
            expected = expected + expected.mT
        if name in machine.edges:
            machine.form(name).settle_(expected)
        torch.testing.assert_close(found[name], expected, rtol=1e-10, atol=1e-14, msg=name)


def test_sparsity_is_the_slope_of_a_cross_entropy() -> None:
    """-p log q - (1 - p) log(1 - q) in the total input of units that all see one case: q - p, exactly."""
    rbm = RBM.from_arrays(np.array([[0.4, -0.3], [1.0, 0.2]]), np.zeros(2), np.array([0.1, -0.5]))
    v = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    penalty = Sparsity(target=0.1, cost=1.0, decay=0.0)
    found = added(rbm, penalty, penalty.init_state(rbm), v)
    c = rbm.hidden.bias
    q = torch.sigmoid(v @ rbm.weights + c)[0]
    loss = (-0.1 * torch.log(q) - 0.9 * torch.log(1 - q)).sum()
    (slope,) = torch.autograd.grad(loss, c)
    assert found["hidden_bias"].numpy() == pytest.approx(slope.numpy(), rel=1e-10)


def test_sparsity_reaches_its_target() -> None:
    data = np.random.default_rng(0).integers(0, 2, (200, 6))
    rbm = hm.RBM(6, 10)
    hm.fit(
        rbm,
        data,
        objective=hm.CD(1),
        epochs=60,
        batch_size=50,
        learning_rate=0.5,
        penalties=[hm.training.Sparsity(target=0.1, cost=5.0)],
    )
    assert rbm.hidden_mean(data).detach().mean(0).numpy() == pytest.approx(np.full(10, 0.1), abs=0.03)


def test_descriptions() -> None:
    assert WeightDecay(0.1).config() == {"type": "WeightDecay", "l2": 0.1, "l1": 0.0}
    assert Sparsity().config() == {"type": "Sparsity", "target": 0.1, "cost": 0.01, "decay": 0.9}
