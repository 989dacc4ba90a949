"""Rectified units: far tails against SciPy, limits, the two sides of the double rectified unit."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from scipy.integrate import simpson

from harmonium.core.random import RandomAddress
from harmonium.kernels import portable, scalar
from harmonium.units import DReLU, Gaussian, ReLU

ALPHAS = [-30.0, -8.0, -1.0, 0.0, 1.0, 3.999, 4.001, 8.0, 20.0, 35.0]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_moments_of_what_lies_beyond(alpha: float) -> None:
    """log ratio, mean and variance of Z - alpha given Z > alpha against SciPy's and quadrature.

    Weights exp(-alpha d - d^2 / 2) on a grid of d; Simpson's error is below 1e-10.
    """
    log_ratio, mean, variance = (float(part) for part in portable.beyond(torch.tensor(alpha, dtype=torch.float64)))
    assert log_ratio == pytest.approx(stats.norm.logsf(alpha) - stats.norm.logpdf(alpha), rel=1e-11, abs=1e-11)
    d = np.linspace(0, max(12.0, 12.0 - alpha) if alpha < 4 else 45 / alpha, 200_001)
    w = np.exp(-alpha * d - d * d / 2 - (alpha * alpha / 2 if alpha < 0 else 0.0))
    mass = simpson(w, x=d)
    expected = simpson(w * d, x=d) / mass
    assert mean == pytest.approx(expected, rel=1e-10)
    assert variance == pytest.approx(simpson(w * (d - expected) ** 2, x=d) / mass, rel=1e-9)


def test_moments_far_beyond_any_underflow() -> None:
    """Z - alpha tends to an exponential number of rate alpha: mean 1 / alpha - 2 / alpha^3, variance 1 / alpha^2."""
    for alpha in (1e2, 1e4, 1e6):
        log_ratio, mean, variance = (float(part) for part in portable.beyond(torch.tensor(alpha, dtype=torch.float64)))
        assert log_ratio == pytest.approx(-math.log(alpha), abs=2 / alpha**2)
        assert mean == pytest.approx(1 / alpha - 2 / alpha**3, rel=20 / alpha**4 + 1e-14)
        assert variance == pytest.approx(1 / alpha**2 - 6 / alpha**4, rel=100 / alpha**4 + 1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_quantiles_are_exceeded_as_often_as_asked(alpha: float) -> None:
    """log P(Z > alpha + d) - log P(Z > alpha) = log u, from the smallest u a word gives to the largest."""
    u = torch.tensor([0.5 * 2**-32, 1e-6, 0.03, 0.5, 0.97, 1 - 1e-6], dtype=torch.float64)
    field = torch.full_like(u, -alpha * 2)
    d = portable.positive_quantile(field, torch.full_like(u, 4.0), u) * 2  # precision 4: scale 1 / 2
    survival = stats.norm.logsf(alpha + d.numpy()) - stats.norm.logsf(alpha)
    assert survival == pytest.approx(np.log(u.numpy()), rel=1e-8, abs=1e-12)


def test_draws_far_out_follow_the_distribution() -> None:
    """Kolmogorov-Smirnov, alarm at 1e-6, on both sides of where the method changes and where P underflows."""
    for field in (-60.0, -5.0, -3.0, 2.0, 30.0):
        for portably in (False, True):
            x = torch.full((20_000, 1), field, dtype=torch.float64).requires_grad_(portably)
            s = ReLU(1, dtype=torch.float64).sample_(x, RandomAddress(4, 0)).detach().numpy()[:, 0]

            def cdf(v: np.ndarray, field: float = field) -> np.ndarray:
                return -np.expm1(stats.norm.logsf(v - field) - stats.norm.logsf(-field))

            assert stats.kstest(s, cdf).pvalue > 1e-6


@torch.no_grad()
def test_relu_by_hand() -> None:
    units = ReLU(3, dtype=torch.float64)
    x = torch.tensor([[0.0, 50.0, -1e4]], dtype=torch.float64)
    # half normal; normal; exponential of rate 10^4
    assert units.mean(x.clone())[0].tolist() == pytest.approx([math.sqrt(2 / math.pi), 50, 1e-4], rel=1e-7)
    assert units.variance(x.clone())[0].tolist() == pytest.approx([1 - 2 / math.pi, 1, 1e-8], rel=1e-6)
    assert units.mode(x.clone())[0].tolist() == [0, 50, 0]
    expected = math.log(math.sqrt(math.pi / 2)) + 1250 + math.log(math.sqrt(2 * math.pi)) - math.log(1e4)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(expected, rel=1e-10)
    for dtype in (torch.float32, torch.float64):
        s = ReLU(3, dtype=dtype).sample(x.to(dtype).expand(1000, 3).clone(), RandomAddress(1, 0))
        assert bool((s >= 0).all()) and bool(torch.isfinite(s).all())


@torch.no_grad()
def test_relu_base_rate() -> None:
    """A cut-off normal distribution has variance < mean^2: beyond it the mean is kept."""
    units = ReLU(3, dtype=torch.float64)
    mean, variance = torch.tensor([2.0, 1.0, 0.0]).double(), torch.tensor([0.5, 3.0, 0.0]).double()
    units.set_natural(units.base_rate(mean, variance, 100.0))
    nothing = torch.zeros(1, 3).double()
    assert units.mean(nothing.clone())[0].tolist() == pytest.approx([2, 1, 0], abs=1e-3)
    assert float(units.variance(nothing)[0, 0]) == pytest.approx(0.5, rel=1e-9)


@torch.no_grad()
def test_drelu_by_hand() -> None:
    units = DReLU(2, dtype=torch.float64)
    gaussian = Gaussian(2, dtype=torch.float64)
    x = torch.tensor([[1.5, -300.0]], dtype=torch.float64)
    assert units.mean(x.clone())[0].tolist() == pytest.approx(gaussian.mean(x.clone())[0].tolist(), rel=1e-12)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(float(gaussian.log_normalizer(x.clone())), rel=1e-12)
    units.kink.fill_(2.0)
    units.log_variance_up.fill_(math.log(4))
    # positive side: mean 4 (b + x + k); negative: -(k - b - x)
    assert units.mode(torch.tensor([[0.5, -4.0]]).double())[0].tolist() == pytest.approx([10, -6])
    s = torch.tensor([[3.0, -2.0]]).double()
    assert float(units.energy(s)) == pytest.approx(9 / 8 - 2 * 3 + 4 / 2 - 2 * 2)
    units.kink.fill_(-3.0)
    assert units.mode(torch.tensor([[2.9, -2.9]]).double())[0].tolist() == [0, 0]


@pytest.mark.parametrize("field", [-40.0, -6.0, 0.3, 40.0])
def test_drelu_draws(field: float) -> None:
    """Kolmogorov-Smirnov against the distribution function of two cut-off halves; alarm at 1e-6."""
    units = DReLU(1, dtype=torch.float64)
    with torch.no_grad():
        units.kink.fill_(-2.0)
        units.log_variance_down.fill_(1.0)
        s = units.sample(torch.full((20_000, 1), field, dtype=torch.float64), RandomAddress(9, 0)).numpy()[:, 0]
    up, down, precision = field - 2, -field - 2, math.exp(-1)
    log_up, log_down = scalar.positive(up, 1.0)[0], scalar.positive(down, precision)[0]
    share = special.expit(log_down - log_up)
    root = math.sqrt(precision)

    def cdf(v: np.ndarray) -> np.ndarray:
        above = -np.expm1(stats.norm.logsf(np.maximum(v, 0) - up) - stats.norm.logsf(-up))
        below = np.exp(stats.norm.logsf(root * np.maximum(-v, 0) - down / root) - stats.norm.logsf(-down / root))
        return np.where(v < 0, share * below, share + (1 - share) * above)

    assert stats.kstest(s, cdf).pvalue > 1e-6


def test_refusals() -> None:
    for value, words in ((-0.5, "take numbers from 0 up"), (math.nan, r"not finite \(NaN\)")):
        with pytest.raises(ValueError, match=rf"v .*row 0, column 1|{words}"):
            ReLU(2).check(torch.tensor([[0.0, value]]), "v")
    assert not DReLU(1).normalisable(tuple(torch.tensor([value]) for value in (0.0, -0.5, 0.0, 0.6)))
    assert DReLU(1).normalisable(tuple(torch.tensor([value]) for value in (0.0, -0.5, 9.0, 0.4)))


def test_advice_on_data_that_is_not_standardised() -> None:
    for units in (Gaussian(2), ReLU(2)):
        assert units.advice(torch.tensor([0.1, -0.2]), torch.tensor([1.0, 2.0])) is None
        for mean, variance, words in (
            (0.0, 1e4, "standardize=True"),
            (100.0, 1.0, "standardize=True"),
            (1.0, 0.0, "constant"),
        ):
            advice = units.advice(torch.tensor([0.0, mean]), torch.tensor([1.0, variance]))
            assert advice is not None and "column 1" in advice and words in advice
