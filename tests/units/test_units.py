"""Every unit type passes the check kit; what is special to one follows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harmonium.core.random import RandomAddress
from harmonium.core.registry import build
from harmonium.testing import check_units
from harmonium.units import (
    Bernoulli,
    Binomial,
    Categorical,
    DReLU,
    Gaussian,
    Mixed,
    Poisson,
    ReLU,
    ReplicatedSoftmax,
    Spin,
    Units,
    as_units,
)

LAYERS = [
    Bernoulli(4), Bernoulli((2, 3)), Bernoulli(1), Bernoulli(70), Spin(3), Spin((2, 2)),
    Binomial(2, 1), Binomial(3, 2), Binomial(2, 20), Binomial(2, 100),
    Categorical(2, 3), Categorical(3, 21), Categorical((1, 2), 2),
    Gaussian(3), Gaussian(1, dtype=torch.float64), ReLU(3), DReLU(3), Poisson(3),
    Mixed([Bernoulli(2), Gaussian(2)]), Mixed([DReLU(1), Categorical(2, 3), Poisson(1)]),
    Mixed([Spin(2), Categorical(1, 3), Binomial(1, 2)]),
    ReplicatedSoftmax(3, lengths=[4]), ReplicatedSoftmax((2, 3), lengths=[2]), ReplicatedSoftmax(1, lengths=[3]),
]  # fmt: skip


@pytest.mark.parametrize("units", LAYERS, ids=repr)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_contract(units: Units, seed: int) -> None:
    before = [parameter.detach().clone() for parameter in units.parameters()]
    check_units(units, seed)
    assert all(torch.equal(a, b) for a, b in zip(before, units.parameters(), strict=True))


@pytest.mark.parametrize("units", LAYERS, ids=repr)
def test_a_description_builds_the_layer_again(units: Units) -> None:
    again = build(units.config())
    assert type(again) is type(units) and again.config() == units.config()
    assert [p.shape for p in again.parameters()] == [p.shape for p in units.parameters()]


def test_states_are_counted_with_unit_0_fastest() -> None:
    units = Bernoulli(3)
    assert units.states(torch.arange(8)).tolist() == [[n & 1, n >> 1 & 1, n >> 2 & 1] for n in range(8)]
    assert units.states(torch.tensor([6, 1])).tolist() == [[0, 1, 1], [1, 0, 0]]


@torch.no_grad()
def test_bernoulli_by_hand() -> None:
    units = Bernoulli(2, dtype=torch.float64)
    units.bias.copy_(torch.tensor([0.5, -1.0]))
    x = torch.tensor([[0.5, 1.0], [-1000.0, 1000.0]], dtype=torch.float64)
    assert units.mean(x.clone())[0].numpy() == pytest.approx([1 / (1 + math.exp(-1)), 0.5], rel=1e-15)
    assert units.mean(x.clone())[1].tolist() == pytest.approx([0, 1], abs=1e-300)
    # log((1 + e)(1 + 1)); far out the cumulant is the input itself
    assert units.log_normalizer(x.clone()).tolist() == pytest.approx(
        [math.log(1 + math.e) + math.log(2), 999.0], rel=1e-15
    )
    assert units.energy(torch.tensor([[1.0, 1.0], [0.0, 1.0]])).tolist() == [0.5, 1.0]
    assert units.base_rate(torch.tensor([0.0, 1.0]), torch.zeros(2), 9.0)[0].tolist() == pytest.approx(
        [-math.log(19), math.log(19)]
    )


@torch.no_grad()
def test_gaussian_by_hand() -> None:
    units = Gaussian(1, dtype=torch.float64)
    units.bias.fill_(0.5)
    units.log_variance.fill_(math.log(4))
    x = torch.tensor([[1.0]], dtype=torch.float64)
    # s | x is normal with mean sigma^2 (b + x) = 6 and variance 4
    assert float(units.mean(x.clone())) == pytest.approx(6)
    assert float(units.variance(x.clone())) == pytest.approx(4)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(0.5 * 4 * 1.5**2 + 0.5 * math.log(2 * math.pi * 4))
    assert float(units.energy(torch.tensor([[2.0]], dtype=torch.float64))) == pytest.approx(2**2 / 8 - 0.5 * 2)
    assert [float(eta) for eta in units.base_rate(torch.tensor([6.0]), torch.tensor([4.0]), 10.0)] == pytest.approx(
        [1.5, -0.125]
    )


@torch.no_grad()
def test_gaussian_draws_are_normal() -> None:
    from scipy import stats

    for dtype in (torch.float32, torch.float64):
        units = Gaussian(1, dtype=dtype)
        s = units.sample(torch.zeros(20_000, 1, dtype=dtype), RandomAddress(4, 0))
        assert stats.kstest(s[:, 0].numpy(), "norm").pvalue > 1e-6


def test_gaussian_bounds() -> None:
    units = Gaussian(2, log_variance_bounds=(-1, 2))
    with torch.no_grad():
        units.log_variance.copy_(torch.tensor([-5.0, 5.0]))
    units.constrain()
    assert units.log_variance.tolist() == [-1.0, 2.0]
    assert units.config() == {"type": "Gaussian", "shape": [2], "log_variance_bounds": [-1.0, 2.0]}
    for bounds in ((1.0, 1.0), (2.0, 1.0), (-11.0, 0.0), (0.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="log_variance_bounds must be increasing and within"):
            Gaussian(2, log_variance_bounds=bounds)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.5, "name a binarisation"), (2.0, "rescale it"), (-1.0, "rescale it"), (float("nan"), r"is not finite \(NaN\)")],
)
def test_bernoulli_refuses(value: float, words: str) -> None:
    s = torch.zeros(3, 4)
    s[1, 2] = value
    with pytest.raises(
        ValueError, match=rf"pixels has the value .* in row 1, column 2.*{words}|pixels {words} in row 1, column 2"
    ):
        Bernoulli(4).check(s, "pixels")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_gaussian_refuses(value: float) -> None:
    s = torch.zeros(3, 4)
    s[2, 1] = value
    with pytest.raises(ValueError, match=r"x is not finite \((NaN|infinite)\) in row 2, column 1: remove or impute"):
        Gaussian(4).check(s, "x")
    with pytest.raises(ValueError, match="no finite list of states"):
        Gaussian(4).unit_states()


def test_as_units() -> None:
    layer = Gaussian(3)
    assert as_units(layer, Bernoulli) is layer
    assert as_units(3, Bernoulli).size == 3
    assert as_units((2, 3), Bernoulli).shape == (2, 3) and as_units((2, 3), Bernoulli).size == 6
    for wrong in (True, 3.0, "3", [3]):
        with pytest.raises(TypeError, match="units must be an int, a shape or a harmonium unit type"):
            as_units(wrong, Bernoulli)  # type: ignore[arg-type]
    for empty in (0, -1, (2, 0), ()):
        with pytest.raises(ValueError, match="Bernoulli needs at least one unit"):
            Bernoulli(empty)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_inputs_stay_finite(dtype: torch.dtype) -> None:
    x = torch.tensor([[1e4, -1e4, 90.0, -90.0, 0.0]], dtype=dtype)
    units = Bernoulli(5, dtype=dtype)
    with torch.no_grad():
        assert units.mean(x.clone())[0].tolist() == pytest.approx([1, 0, 1, 0, 0.5], abs=1e-30)
        assert float(units.log_normalizer(x.clone())) == pytest.approx(10_090 + math.log(2), rel=1e-7)
        s = units.sample(x.expand(1000, 5).clone(), RandomAddress(0, 0))
    assert np.array_equal(s[:, :4].numpy(), np.tile([1, 0, 1, 0], (1000, 1)))


def test_means_are_differentiable_in_the_parameters() -> None:
    """Also where the input needs no gradient: d mean / d bias is the variance."""
    x = torch.linspace(-2, 2, 12, dtype=torch.float64).view(4, 3)
    for units in (Bernoulli(3, dtype=torch.float64), Gaussian(3, dtype=torch.float64)):
        (slope,) = torch.autograd.grad(units.mean(x.clone()).sum(), units.bias)
        assert slope.numpy() == pytest.approx(units.variance(x).detach().sum(0).numpy(), rel=1e-12)
        (slope,) = torch.autograd.grad(units.log_normalizer(x.clone()).sum(), units.bias)
        assert slope.numpy() == pytest.approx(units.mean(x.clone()).detach().sum(0).numpy(), rel=1e-12)


def test_device(device: torch.device) -> None:
    """Portable code on any device agrees with the loops of the CPU."""
    for units in (Bernoulli(5), Gaussian(5)):
        x = torch.linspace(-3, 3, 500).view(100, 5)
        there = type(units)(5).to(device)
        with torch.no_grad():
            for name in ("mean", "variance", "mode", "log_normalizer"):
                found, expected = getattr(there, name)(x.clone().to(device)).cpu(), getattr(units, name)(x.clone())
                assert found.numpy() == pytest.approx(expected.numpy(), rel=1e-5, abs=1e-6)
            found, expected = (
                there.sample(x.clone().to(device), RandomAddress(1, 0)).cpu(),
                units.sample(x.clone(), RandomAddress(1, 0)),
            )
            assert float(((found - expected).abs() > 1e-5).double().mean()) <= 0.002
