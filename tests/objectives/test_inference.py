"""The clamped phase of coupled hidden layers, by sampling and by mean field."""

from __future__ import annotations

import pytest
import torch

import harmonium as hm
from harmonium.core.registry import build
from harmonium.likelihood.exact import exact_clamped_moments


@pytest.mark.parametrize("model", [hm.DBM([4, 3, 3], seed=1), hm.BoltzmannMachine(4, 3)], ids=["deep", "lateral"])
def test_clamped_sampling_has_the_exact_moments(model: hm.models.Machine) -> None:
    """20,000 chains, averages within 0.02: 5 standard errors of a moment of binary states."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
        model.constrain()
    v = torch.tensor([[1.0, 0, 1, 1], [0, 0, 1, 0]])
    exact = exact_clamped_moments(model, v)
    phase = hm.objectives.ClampedGibbs(sweeps=20)(model, v.repeat(10_000, 1), hm.Stream(0))
    for name, moment in model.moments(phase).items():
        torch.testing.assert_close(moment, exact[name], rtol=0, atol=0.02)


def test_an_rbm_is_exact_whatever_is_asked_for() -> None:
    rbm, v = hm.RBM(4, 3, seed=1), torch.eye(4)
    for inference in (hm.objectives.MeanField(iterations=1), hm.objectives.ClampedGibbs(1)):
        assert torch.equal(inference(rbm, v, hm.Stream(0)).means[1], rbm.infer(v).means[1])


@pytest.mark.parametrize("kind", [hm.CD, hm.PCD])
def test_objectives_use_the_inference_they_are_given(kind: type[hm.CD] | type[hm.PCD]) -> None:
    """A mean field of one iteration is another than that of a hundred, where couplings are of order 1."""
    dbm, v = hm.DBM([4, 3, 3], dtype=torch.float64), torch.eye(4)
    with torch.no_grad():
        for parameter in dbm.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    short, long = (
        hm.gradient(dbm, v, objective=kind(inference=hm.objectives.MeanField(n, 0.0))).positive["weights2"]
        for n in (1, 100)
    )
    expected = dbm.moments(hm.objectives.MeanField(100, 0.0)(dbm, v.double(), hm.Stream(0)))["weights2"]
    torch.testing.assert_close(long, expected)
    assert float((short - long).abs().max()) > 1e-4


def test_objectives_come_back_from_their_description() -> None:
    for objective in (
        hm.PCD(k=2, chains=7, inference=hm.objectives.ClampedGibbs(3)),
        hm.CD(inference=hm.objectives.MeanField(5, 0.1)),
    ):
        assert build(objective.config()) == objective


def test_impossible_settings() -> None:
    with pytest.raises(ValueError, match=r"MeanField\(iterations=...\)"):
        hm.objectives.MeanField(iterations=0)
    with pytest.raises(ValueError, match=r"ClampedGibbs\(sweeps=...\)"):
        hm.objectives.ClampedGibbs(0)


def test_persistent_chains_use_the_inference_they_are_given() -> None:
    """Sampling comes near the exact moments, and is not the mean field."""
    model = hm.DBM([4, 3, 2], seed=1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(5)))
    v = torch.tensor([[1.0, 0, 1, 1], [0, 0, 1, 0]]).repeat(2000, 1)
    exact = exact_clamped_moments(model, v[:2])["weights2"]
    sampled, field = (
        hm.gradient(model, v, objective=hm.PCD(chains=5, inference=inference)).positive["weights2"]
        for inference in (hm.objectives.ClampedGibbs(20), hm.objectives.MeanField())
    )
    assert float((sampled - exact).abs().max()) < 0.03  # 4,000 chains, 3 standard errors
    assert not torch.equal(sampled, field)
