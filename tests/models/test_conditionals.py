"""Output layers: normalised, drawn from as they say, with the base rate where the network is silent."""

from __future__ import annotations

import math

import pytest
import torch

from harmonium.core.random import Stream
from harmonium.core.registry import build
from harmonium.models.conditionals import (
    Conditional,
    MixtureConditional,
    UnitConditional,
)
from harmonium.testing.numeric import normals, scatter
from harmonium.units import Bernoulli, Binomial, Categorical, Gaussian, Mixed, ReplicatedSoftmax

UNITS = [Bernoulli(3), Categorical(2, 3), Binomial(2, 4), Gaussian(2), Mixed([Bernoulli(2), Gaussian(1)])]
MIXTURES = [MixtureConditional(2, 3), MixtureConditional((1, 2), 4, "laplace", 0.1), MixtureConditional(3, 1)]


def scattered(conditional: Conditional) -> Conditional:
    conditional = build(conditional.config()).double().requires_grad_(False)
    scatter(conditional, Stream(3), 0.3)
    return conditional


@pytest.mark.parametrize("units", UNITS, ids=repr)
def test_the_density_of_units_is_their_exponent_less_the_cumulant(units) -> None:
    conditional = scattered(UnitConditional(units))
    x = normals(Stream(0), 5, conditional.width)
    s = conditional.sample(x, Stream(1).advance())
    layer = conditional.units
    whole = (x * s).sum(-1) + layer.neg_energy(s) - layer.log_normalizer(x)
    torch.testing.assert_close(conditional.log_prob(x, s).sum(-1), whole)
    assert conditional.log_prob(x, s).shape == (5, layer.columns)


@pytest.mark.parametrize("units", [Bernoulli(3), Categorical(2, 3), Binomial(2, 4)], ids=repr)
def test_each_variable_sums_to_one(units) -> None:
    conditional = scattered(UnitConditional(units))
    layer = conditional.units
    states = layer.states(torch.arange(layer.count))
    x = normals(Stream(0), 1, conditional.width).expand(len(states), -1)
    log_prob = conditional.log_prob(x, states)
    torch.testing.assert_close(log_prob.sum(-1).exp().sum(), torch.ones((), dtype=torch.float64))
    for column, count in enumerate(layer.radices()):  # each of its states stands in equally many rows
        assert abs(float(log_prob[:, column].exp().sum()) * count / len(states) - 1) < 1e-12


@pytest.mark.parametrize("mixture", MIXTURES, ids=repr)
def test_mixtures_integrate_to_one_and_have_their_mean(mixture) -> None:
    conditional = scattered(mixture)
    step = 0.004
    grid = torch.arange(-150, 150, step, dtype=torch.float64)
    n = conditional.units.columns
    x = 0.5 * normals(Stream(0), 1, conditional.width)
    density = conditional.log_prob(x, grid.unsqueeze(-1).expand(-1, n)).exp()
    one = torch.ones(n, dtype=torch.float64)
    # The trapezoidal rule has an error of h^2 / 12 times the jump of the slope: at a kink of a Laplace density below
    # 1e-4 for scales of 0.1 and more; Gaussians are exact.
    torch.testing.assert_close(density.sum(0) * step, one, rtol=1e-4, atol=0)
    mean = (density * grid.unsqueeze(-1)).sum(0) * step
    torch.testing.assert_close(conditional.mean(x)[0], mean, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("conditional", [*MIXTURES, *map(UnitConditional, UNITS)], ids=repr)
def test_draws_have_the_mean_and_depend_on_their_own_numbers(conditional) -> None:
    conditional = scattered(conditional)
    x = normals(Stream(0), 1, conditional.width).expand(20_000, -1).contiguous()
    draws = conditional.sample(x, Stream(7).advance())
    error = draws.std(0) / math.sqrt(len(draws))
    mean = conditional.mean(x[:1])[0]
    assert bool(((draws.mean(0) - mean).abs() < 4.5 * error).all())  # a fixed seed; 4.5 standard errors
    first = conditional.variable_of_column() == 0
    other = conditional.sample(torch.where(first, x, 0.0), Stream(7).advance())
    own = conditional.units.repeat_per_column(torch.arange(conditional.units.columns)) == 0
    assert torch.equal(other[:, own], draws[:, own])
    assert not torch.equal(other[:, ~own], draws[:, ~own])


@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_draws_of_a_mixture_follow_its_distribution(family) -> None:
    conditional = scattered(MixtureConditional(1, 3, family))
    x = normals(Stream(2), 1, conditional.width)
    draws = conditional.sample(x.expand(20_000, -1), Stream(5).advance())[:, 0].sort().values
    uniform = conditional._mixture(x).cdf(draws.unsqueeze(-1))[:, 0]
    rank = (torch.arange(len(draws)) + 0.5) / len(draws)
    assert float((uniform - rank).abs().max()) * math.sqrt(len(draws)) < 1.95  # Kolmogorov: 0.1 % beyond


def test_a_silent_network_gives_the_base_rate() -> None:
    mean, variance = torch.tensor([0.25, 0.5]), torch.tensor([0.1875, 0.25])
    bernoulli = UnitConditional(Bernoulli(2))
    bernoulli.set_base_rate(mean, variance, 1e6)
    torch.testing.assert_close(bernoulli.mean(torch.zeros(1, 2))[0], mean, rtol=1e-5, atol=0)
    mean, variance = torch.tensor([3.0, -1.0]), torch.tensor([4.0, 0.01])
    for family in ("gaussian", "laplace"):
        mixture = MixtureConditional(2, 10, family, 0.001)
        mixture.set_base_rate(mean, variance, 100.0)
        zero = torch.zeros(1, mixture.width)
        torch.testing.assert_close(mixture.mean(zero)[0], mean)
        torch.testing.assert_close(mixture._mixture(zero).variance[0], variance)


@pytest.mark.parametrize("conditional", MIXTURES, ids=repr)
def test_gradients_are_finite_differences(conditional) -> None:
    conditional = scattered(conditional)
    s = normals(Stream(4), 3, conditional.units.size)
    x = normals(Stream(5), 3, conditional.width).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: conditional.log_prob(x, s), (x,))


def test_one_case_cannot_make_the_density_infinite() -> None:
    mixture = MixtureConditional(1, 1, floor=0.01)
    x = torch.full((1, mixture.width), -1e4)
    s = mixture._parts(x)[1][:, :, 0]  # at the centre of the component, whose scale is the floor
    assert float(mixture.log_prob(x, s).detach()) == pytest.approx(
        -math.log(0.01) - 0.5 * math.log(2 * math.pi), abs=1e-4
    )


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"components must be .*, found 0"):
        MixtureConditional(2, 0)
    with pytest.raises(ValueError, match="family must be 'gaussian' or 'laplace', found 'cauchy'"):
        MixtureConditional(2, 3, "cauchy")
    with pytest.raises(ValueError, match=r"floor must be .*, found 0"):
        MixtureConditional(2, 3, floor=0.0)
    with pytest.raises(ValueError, match="take whole rows"):
        UnitConditional(ReplicatedSoftmax(3, lengths=[2]))
