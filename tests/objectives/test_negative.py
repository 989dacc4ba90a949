"""Both phases of CD, PCD and Exact, each divided by its own number of cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.core.random import Stream
from harmonium.likelihood.exact import exact_log_partition, exact_moments
from harmonium.models import RBM
from harmonium.objectives import CD, PCD, Batch, Exact
from harmonium.testing.joint import Joint, start_at

Make = Callable[..., RBM]


def cases(rows: int, n: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).integers(0, 2, (rows, n)).astype(np.float64))


def assert_same_mean(found: list[dict[str, torch.Tensor]], expected: dict[str, torch.Tensor]) -> None:
    """The mean over independent repetitions is the exact phase within 5 standard errors."""
    for name, value in expected.items():
        values = torch.stack([phase[name].detach() for phase in found])
        error = values.std(0) / len(values) ** 0.5
        assert bool(((values.mean(0) - value).abs() <= 5 * error + 1e-9).all()), name


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("visible", [hm.Bernoulli(4), hm.Gaussian(2)], ids=repr)
def test_from_the_exact_distribution_the_negative_phase_is_exact(visible: hm.units.Units, k: int) -> None:
    """Chains at equilibrium stay there, so CD and PCD are unbiased: whatever the number of chains and cases."""
    rbm = hm.RBM(visible, 3, dtype=torch.float64)
    rng = np.random.default_rng(5)
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter.copy_(torch.as_tensor(0.6 * rng.standard_normal(parameter.shape)))
    expected = exact_moments(rbm)
    joint, stream = Joint(rbm), Stream(3)
    cd, pcd, positive = [], [], []
    short = cases(3, rbm.visible.size)
    for r in range(60):
        chains = start_at(joint, 200, stream.child("start", r))[0]
        assert chains is not None
        cd.append(rbm.moments(CD(k).phases(rbm, Batch(chains), {}, stream.child("cd", r)).negative))
        state = {"chains": chains}
        phases = PCD(k, chains=200).phases(rbm, Batch(short), state, stream.child("pcd", r))
        pcd.append(rbm.moments(phases.negative))
        positive.append(rbm.moments(phases.positive))
        assert not torch.equal(state["chains"], chains)
    assert_same_mean(cd, expected)
    assert_same_mean(pcd, expected)
    alone = rbm.moments(rbm.infer(short))  # 200 chains do not touch the mean over 3 cases
    assert all(torch.equal(phase[name], alone[name]) for phase in positive for name in alone)


def test_one_sweep_of_cd_by_hand(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(6, 4)
    stream = Stream(8)
    phases = CD(2).phases(rbm, Batch(v), {}, stream)
    end = rbm.gibbs(v, 2, Stream(8))
    for phase, x in ((rbm.moments(phases.positive), v), (rbm.moments(phases.negative), end)):
        h = rbm.hidden_mean(x).detach()
        assert phase["weights"].numpy() == pytest.approx((x.T @ h / 6).numpy(), rel=1e-13)
        assert phase["hidden_bias"].numpy() == pytest.approx(h.mean(0).numpy(), rel=1e-13)
    assert stream.step == 2


def test_cd_weighs_both_phases(make_rbm: Make) -> None:
    """A case of weight 3 counts as three cases whose chains happen to draw alike."""
    rbm, v = make_rbm(4, 3), cases(5, 4)
    weight = torch.tensor([1.0, 0.0, 3.0, 2.0, 1.0], dtype=torch.float64)
    phases = CD(1).phases(rbm, Batch(v, weight), {}, Stream(8))
    end = rbm.gibbs(v, 1, Stream(8))
    for phase, x in ((rbm.moments(phases.positive), v), (rbm.moments(phases.negative), end)):
        expected = rbm.moments(rbm.infer(x.repeat_interleave(weight.long(), 0)))
        for name, value in expected.items():
            assert phase[name].numpy() == pytest.approx(value.numpy(), rel=1e-12)


def test_pcd_chains_go_on(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(7, 4)
    objective = PCD(k=2, chains=50)
    state = objective.init_state(rbm, Stream(1))
    assert state["chains"].shape == (50, 4)
    start, stream = state["chains"].clone(), Stream(2)
    objective.phases(rbm, Batch(v), state, stream)
    objective.phases(rbm, Batch(v[:1]), state, stream)
    assert torch.equal(state["chains"], rbm.gibbs(start, 4, Stream(2)))


def test_pcd_chains_begin_at_the_base_rate() -> None:
    rbm = hm.RBM(3, 2)
    rbm.data_mean, rbm.data_cases = torch.tensor([0.02, 0.5, 0.9]), torch.tensor(1e6)
    rbm.data_variance = rbm.data_mean * (1 - rbm.data_mean)
    chains = PCD(chains=20_000).init_state(rbm, Stream(0))["chains"]
    error = (rbm.data_variance / 20_000).sqrt()
    assert bool(((chains.mean(0) - rbm.data_mean).abs() < 5 * error).all())


@pytest.mark.parametrize("visible", [hm.Bernoulli(4), hm.Gaussian(4)], ids=repr)
def test_exact_fills_grad_with_minus_the_gradient(visible: hm.units.Units) -> None:
    rbm = hm.RBM(visible, 3, dtype=torch.float64, seed=3)
    v = cases(6, 4)
    data, model = (rbm.moments(phase) for phase in Exact().gradient(rbm, Batch(v), {}, Stream(0)))
    for name, parameter in rbm.parameters_by_name().items():
        assert parameter.grad is not None and parameter.grad.shape == parameter.shape
        assert torch.equal(parameter.grad, model[name] - data[name])
        with torch.no_grad():  # one entry by a difference quotient; the check kit does all
            flat, log_p = parameter.view(-1), []
            for step in (1e-5, -2e-5):
                flat[0] += step
                log_p.append(float(rbm.log_weight((v, None)).mean() - exact_log_partition(rbm)))
            flat[0] += 1e-5
        assert -float(parameter.grad.view(-1)[0]) == pytest.approx((log_p[0] - log_p[1]) / 2e-5, abs=1e-8)


def test_gradient_shows_the_bias(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(6, 4)
    exact = hm.gradient(rbm, v, objective=hm.Exact())
    assert exact.difference["weights"].numpy() == pytest.approx(
        (exact.positive["weights"] - exact.negative["weights"]).numpy()
    )
    default, named = hm.gradient(rbm, v, seed=4), hm.gradient(rbm, v.numpy().astype(bool), objective=hm.CD(k=1), seed=4)
    assert all(torch.equal(default.negative[name], named.negative[name]) for name in named.negative)
    assert not torch.equal(default.negative["weights"], hm.gradient(rbm, v, seed=5).negative["weights"])
    weights = [1, 0, 0, 0, 0, 2]
    weighted = hm.gradient(rbm, v, objective=hm.Exact(), sample_weight=weights)
    replicated = hm.gradient(rbm, v[[0, 5, 5]], objective=hm.Exact())
    for name in weighted.positive:
        assert weighted.difference[name].numpy() == pytest.approx(replicated.difference[name].numpy(), rel=1e-12)
    assert all(parameter.grad is None for parameter in rbm.parameters())  # only looked at
    with pytest.raises(ValueError, match="Bernoulli units take 0 and 1"):
        hm.gradient(rbm, [[0.5, 0, 0, 0]])


def test_a_gradient_is_of_the_moment_it_was_taken() -> None:
    """What happens to the model and the cases later does not reach back."""
    rbm = hm.RBM(hm.Gaussian(2), 2, dtype=torch.float64, seed=1)
    v = torch.tensor([[1.0, 2.0], [-0.5, 3.0]], dtype=torch.float64)
    early, late = (hm.gradient(rbm, v, seed=3) for _ in range(2))
    expected = {name: value.clone() for name, value in early.difference.items()}
    with torch.no_grad():
        for parameter in rbm.parameters():
            parameter += 1
    v.zero_()
    assert all(torch.equal(late.difference[name], value) for name, value in expected.items())


def test_grad_is_refilled_not_added_to(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    for objective in (CD(1), PCD(1, chains=9), Exact()):
        state = objective.init_state(rbm, Stream(1))
        for rows in (5, 3):
            phases = objective.gradient(rbm, Batch(cases(rows, 4)), state, Stream(rows))
            data, model = map(rbm.moments, phases)
            for name, parameter in rbm.parameters_by_name().items():
                assert parameter.grad is not None
                assert parameter.grad.numpy() == pytest.approx((model[name] - data[name]).detach().numpy(), abs=1e-14)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "2"])
def test_settings_are_checked(value: object) -> None:
    for make, message in (
        (lambda: CD(k=value), r"CD\(k=...\)"), (lambda: PCD(k=value), r"PCD\(k=...\)"),
        (lambda: PCD(chains=value), r"PCD\(chains=...\)"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message + " must be "):
            make()


def test_exact_needs_a_finite_side() -> None:
    class Endless(hm.Bernoulli):
        finite = False

    with pytest.raises(ValueError, match="neither has finitely many states"):
        exact_log_partition(hm.RBM(Endless(2), Endless(2)))


def test_descriptions() -> None:
    field = {"type": "MeanField", "iterations": 30, "tolerance": 1e-3}
    assert CD(k=3).config() == {"type": "CD", "k": 3, "inference": field}
    assert PCD(k=2, chains=7).config() == {"type": "PCD", "k": 2, "chains": 7, "inference": field}
    assert Exact().config() == {"type": "Exact"}
