"""The loops: rates of rare events, rows, sums of many factors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harmonium import kernels
from harmonium.core.random import RandomAddress
from harmonium.kernels import portable
from harmonium.units import Bernoulli, Gaussian

ROWS, UNITS, DRAW = 100, 40_000, RandomAddress(1234, 7)


@pytest.fixture(scope="module")
def u() -> torch.Tensor:
    """The uniforms of four million draws."""
    return (portable.words(DRAW, torch.arange(ROWS), UNITS).double() + 0.5) / 2**32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [-18.5, -14.0, -3.0, 0.0, 0.7, 14.0])
def test_small_probabilities_fire_at_their_rate(u: torch.Tensor, dtype: torch.dtype, logit: float) -> None:
    """The count is that of words below p, to within the words that lie in the rounding of p itself."""
    s = Bernoulli(UNITS, dtype=dtype).sample(torch.full((ROWS, UNITS), logit, dtype=dtype), DRAW)
    p = 1 / (1 + math.exp(abs(logit)))
    rare = (s != 0) if logit <= 0 else (s == 0)
    relative = 4e-7 if dtype == torch.float32 else 1e-15
    low, high = int((u < p * (1 - relative)).sum()), int((u < p * (1 + relative)).sum())
    assert low <= int(rare.sum()) <= high
    assert high - low <= 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rare_events_are_resolved_far_below_24_bits(u: torch.Tensor, dtype: torch.dtype) -> None:
    """Where p is one part in a thousand above the smallest uniforms they fire, below they do not: 24 bits cannot."""
    smallest = u.flatten().argsort()[:50]
    assert float(u.flatten()[smallest[0]]) < 1e-6
    for sign in (-1, 1):
        for factor in (1.001, 0.999):
            x = torch.full((ROWS * UNITS,), 60.0 * sign, dtype=dtype)
            x[smallest] = (-sign * torch.logit(factor * u.flatten()[smallest])).to(dtype)
            s = Bernoulli(UNITS, dtype=dtype).sample(x.view(ROWS, UNITS), DRAW).flatten()
            expected = 50 if factor > 1 else 0
            assert int((s != (sign > 0)).sum()) == expected


def test_a_word_of_zero_fires_down_to_its_own_probability() -> None:
    """u = 2^-33 for the smallest word: p just above fires, p just below does not, in float32 too."""
    words = torch.tensor([[0]])
    for dtype in (torch.float32, torch.float64):
        u = portable.uniform(words, dtype)
        for factor, fires in ((1.001, 1.0), (0.999, 0.0)):
            p = torch.tensor([[factor * 2.0**-33]], dtype=dtype)
            assert float(Bernoulli(1, dtype=dtype)._draw((torch.logit(p.double()).to(dtype),), u)) == fires


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fused_draws_differ_only_within_rounding(dtype: torch.dtype) -> None:
    rows, units = 1000, 300
    x = 6 * torch.special.ndtri(kernels.uniforms(RandomAddress(1, 0), rows, units, dtype, torch.device("cpu")))
    layer, draw = Bernoulli(units, dtype=dtype), RandomAddress(2, 0)
    fused, slow = layer.sample_(x.clone(), draw), layer.sample_(x.clone().requires_grad_(), draw).detach()
    u = (portable.words(draw, torch.arange(rows), units).double() + 0.5) / 2**32
    p = torch.sigmoid(-x.double().abs())
    truth = (u < p) ^ (x > 0)
    ulp = 8 * torch.finfo(dtype).eps
    for s in (fused, slow):
        wrong = s.bool() != truth
        assert bool(((u - p).abs()[wrong] <= ulp * p[wrong] + 2.0**-33 * (dtype == torch.float32)).all())
        assert int(wrong.sum()) <= 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_rows(dtype: torch.dtype, device: torch.device) -> None:
    p = torch.rand(50, 7, generator=torch.Generator().manual_seed(0), dtype=dtype).to(device)
    p[0] = 0
    p[1] = 1
    rows = torch.arange(50, device=device)
    draw = RandomAddress(8, 2)
    s = kernels.bernoulli_rows(p, rows, draw)
    u = (portable.words(draw, rows, 7).double() + 0.5) / 2**32
    assert torch.equal(s, (u < p.double()).to(dtype))
    assert float(s[0].sum()) == 0 and float(s[1].sum()) == 7
    order = torch.tensor([3, 49, 3, 0], device=device)  # a case draws by its index, wherever it stands
    assert torch.equal(kernels.bernoulli_rows(p[order], order, draw), s[order])
    assert bool((p[1] == 1).all())  # the probabilities are left alone
    slow = kernels.bernoulli_rows(p.clone().requires_grad_(), rows, draw).detach()
    assert torch.equal(slow, s)


@pytest.mark.parametrize("units", [1, 63, 64, 65, 1000, 6400, 6401, 20_000])
def test_cumulants_of_many_units(units: int) -> None:
    """Products of factors are folded into few logarithms: no overflow, no lost lane."""
    x = torch.linspace(-3, 3, units, dtype=torch.float64)[None]
    assert float(Bernoulli(units, dtype=torch.float64).log_normalizer(x.clone()).detach()) == pytest.approx(
        float(np.logaddexp(0, x.numpy()).sum()), rel=1e-13
    )


@pytest.mark.parametrize("log_variance", [-7.0, 7.0, -10.0, 10.0])
@pytest.mark.parametrize("units", [3_968, 6_400])
@torch.no_grad()
def test_cumulants_of_many_wide_units(log_variance: float, units: int) -> None:
    layer = Gaussian(units, log_variance_bounds=(-10, 10), dtype=torch.float64)
    layer.log_variance.fill_(log_variance)
    found = float(layer.log_normalizer(torch.zeros(1, units, dtype=torch.float64)))
    assert found == pytest.approx(0.5 * units * (math.log(2 * math.pi) + log_variance), rel=1e-12)


def test_what_is_fused() -> None:
    x = torch.zeros(2, 3)
    assert kernels.is_fused(x) and kernels.is_fused(x.double())
    assert not kernels.is_fused(x.clone().requires_grad_())
    assert not kernels.is_fused(x.half()) and not kernels.is_fused(x.to("meta"))
