"""The TAP expansion against enumeration, and its derivatives against differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.models import RBM, Machine
from harmonium.objectives import TAP, Batch
from harmonium.objectives.tap import relax, tap_log_partition, tap_moments

Make = Callable[..., RBM]
MACHINES: dict[str, Callable[[], Machine]] = {
    "bernoulli": lambda: hm.RBM(4, 3, dtype=torch.float64),
    "spin": lambda: hm.RBM(hm.Spin(4), hm.Spin(3), dtype=torch.float64),
    "mixed": lambda: hm.RBM(hm.Spin(4), hm.Bernoulli(3), dtype=torch.float64),
    "deep": lambda: hm.DBM([4, 3, 3], dtype=torch.float64),
}


def machine(kind: str, coupling: float, seed: int = 0) -> Machine:
    """Biases of order one, weights of order ``coupling``."""
    found, rng = MACHINES[kind](), np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in found.parameters_by_name().items():
            parameter.copy_(torch.as_tensor(rng.standard_normal(parameter.shape)))
            if name in found.edges:
                parameter *= coupling
    return found


def settled(model: Machine, order: int, copies: int = 1) -> list[torch.Tensor]:
    """A stationary point, from means in the middle of what units take."""
    rest = [
        model.units(i).unit_states().mean() * torch.ones(copies, model.units(i).size) for i in range(len(model.names))
    ]
    return relax(model, [m.double() for m in rest], order, 60)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_error_of_log_z_shrinks_as_the_next_power_of_the_couplings(order: int, kind: str) -> None:
    """Halving the weights divides the error of order k by 2^(k+1); next orders change the ratio by a few per cent."""
    errors = []
    for coupling in (0.02, 0.01) if order == 3 else (0.002, 0.001):
        model = machine(kind, coupling)
        errors.append(float(tap_log_partition(model, settled(model, order), order) - exact_log_partition(model)))
    assert abs(errors[1]) > 1e-13  # far above rounding, so that the ratio says something
    assert errors[0] / errors[1] == pytest.approx(2 ** (order + 1), rel=0.1)


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_moments_are_derivatives_in_every_parameter(order: int, kind: str) -> None:
    """Central differences of Phi, the means found anew at every step; one more at means that are not stationary."""
    model = machine(kind, 0.4, seed=1)
    rough = [torch.as_tensor(np.random.default_rng(2).uniform(0.1, 0.9, (2, m.shape[-1]))) for m in settled(model, 1)]
    for means, again in ((settled(model, order, 2), True), (rough, False)):
        found = tap_moments(model, means, order)
        for name, parameter in model.parameters_by_name().items():
            flat, expected = parameter.data.view(-1), []
            for i in range(len(flat)):
                phi = []
                for step in (1e-5, -2e-5):
                    flat[i] += step
                    phi.append(
                        tap_log_partition(model, relax(model, means, order, 12) if again else means, order).mean()
                    )
                flat[i] += 1e-5
                expected.append(float(phi[0] - phi[1]) / 2e-5)
            assert found[name].reshape(-1).numpy() == pytest.approx(np.array(expected), abs=1e-8), name


@pytest.mark.parametrize("order", [1, 2, 3])
def test_relaxed_means_are_stationary(order: int) -> None:
    model = machine("mixed", 0.4, seed=3)
    means = [m.clone().requires_grad_() for m in settled(model, order)]
    with torch.no_grad():
        phi = float(tap_log_partition(model, means, order))
        for m in means:
            for i in range(m.shape[-1]):
                for step in (1e-4, -1e-4):
                    m[0, i] += step
                    assert abs(float(tap_log_partition(model, means, order)) - phi) < 1e-6
                    m[0, i] -= step


def test_the_phase_errs_by_the_next_power_too(make_rbm: Make) -> None:
    """Moments of couplings are derivatives in W: their error is of order W^order."""
    errors = []
    for coupling in (0.04, 0.02):
        model = machine("bernoulli", coupling)
        means, exact = settled(model, 2), exact_moments(model)
        errors.append(float((tap_moments(model, means, 2)["weights"] - exact["weights"]).norm()))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_phases_by_hand(make_rbm: Make) -> None:
    """Two updates of second order, written out for binary units (Gabrie et al. 2015, equations 16 and 17)."""
    rbm, v = make_rbm(4, 3, scale=0.5), torch.tensor([[0.0, 1, 1, 0]], dtype=torch.float64)
    objective = TAP(order=2, iterations=2, chains=5)
    state = objective.init_state(rbm, Stream(0))
    W, b, c = (torch.as_tensor(a) for a in rbm.to_arrays())
    m, h = state["means.visible"].clone(), state["means.hidden"].clone()
    assert bool(((m == 0) | (m == 1)).all()) and torch.allclose(h, torch.sigmoid(c + m @ W))
    for _ in range(2):
        data, model = map(rbm.moments, objective.phases(rbm, Batch(v), state, Stream(1)))
        for _ in range(2):
            h = torch.sigmoid(c + m @ W - (h - 0.5) * ((m - m**2) @ W**2))
            m = torch.sigmoid(b + h @ W.T - (m - 0.5) * ((h - h**2) @ (W**2).T))
        assert state["means.visible"].numpy() == pytest.approx(m.numpy(), abs=1e-13)
        expected = m.T @ h / 5 + W * ((m - m**2).T @ (h - h**2)) / 5
        assert model["weights"].numpy() == pytest.approx(expected.numpy(), abs=1e-13)
        assert model["visible_bias"].numpy() == pytest.approx(m.mean(0).numpy(), abs=1e-13)
        assert data["hidden_bias"].numpy() == pytest.approx(torch.sigmoid(c + v @ W)[0].numpy())


def test_a_stack_is_its_members(make_rbm: Make) -> None:
    members = [make_rbm(4, 3, scale=0.5, seed=seed) for seed in range(2)]
    stack = RBM.from_arrays(*[np.stack(arrays) for arrays in zip(*[m.to_arrays() for m in members], strict=True)])
    means = [torch.full((2, 1, 4), 0.5).double(), torch.full((2, 1, 3), 0.5).double()]
    means = relax(stack, means, 3, 5)
    moments, phi = tap_moments(stack, means, 3), tap_log_partition(stack, means, 3)
    for r, member in enumerate(members):
        own = relax(member, [torch.full((1, 4), 0.5).double(), torch.full((1, 3), 0.5).double()], 3, 5)
        assert float(phi[r]) == pytest.approx(float(tap_log_partition(member, own, 3)), rel=1e-13)
        for name, value in tap_moments(member, own, 3).items():
            assert moments[name][r].numpy() == pytest.approx(value.numpy(), abs=1e-14)


def test_weak_models_are_learned() -> None:
    """Data of a weakly coupled model: the likelihood comes within the noise of what exact gradients reach."""
    truth = RBM.from_arrays(*[a.detach() for a in machine("bernoulli", 0.8, seed=4).parameters_by_name().values()])
    data = hm.sample(truth, 400, sweeps=50, seed=0)
    found = {}
    for objective in (hm.Exact(), TAP(order=2, chains=20), TAP(order=3, chains=20)):
        rbm = hm.RBM(4, 3, dtype=torch.float64)
        hm.fit(rbm, data, objective=objective, epochs=60, batch_size=400, learning_rate=0.5)
        assert rbm.chains is None or isinstance(objective, hm.PCD)
        found[str(objective)[:12]] = hm.evaluate(rbm, data, method="exact").mean
    exact, second, third = found.values()
    assert abs(second - exact) < 0.01 and abs(third - exact) < 0.01


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: hm.RBM(hm.Gaussian(3), 2), "two states.*layer 'visible' is Gaussian"),
        (lambda: hm.RBM(hm.Categorical(3, states=2), 2), "two states.*Categorical"),
        (lambda: hm.RBM(3, hm.Binomial(2, trials=3)), "two states.*layer 'hidden' is Binomial"),
        (lambda: hm.BoltzmannMachine(4), "two colours"),
    ],
)
def test_other_machines_are_refused(model: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TAP().init_state(model(), Stream(0))


@pytest.mark.parametrize("order", [0, 4, True, "2", 2.5])
def test_settings_are_checked(order: Any) -> None:
    with pytest.raises(ValueError, match=r"TAP\(order=...\)"):
        TAP(order=order)
    with pytest.raises(ValueError, match=r"TAP\(iterations=...\)"):
        TAP(iterations=0)
