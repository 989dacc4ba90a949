"""Counts without an upper end: draws at all rates, the cap, log Z of a machine."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from harmonium.core.random import RandomAddress
from harmonium.models import RBM
from harmonium.testing.compare import assert_counts
from harmonium.units import Poisson


@pytest.mark.parametrize("field", [-20.0, -2.0, 0.0, 1.7, 5.0, 12.0, 16.0])
@pytest.mark.parametrize("portable", [False, True])
def test_draws_follow_the_distribution(field: float, portable: bool) -> None:
    """Chi-square over 40 cells, alarm at 1e-6; fused and portable draws are the same."""
    rows = 20_000 if field < 12 else 2_000
    x = torch.full((rows, 1), field, dtype=torch.float64).requires_grad_(portable)
    s = Poisson(1, dtype=torch.float64).sample_(x, RandomAddress(3, 1)).detach().numpy()[:, 0]
    law = stats.poisson(math.exp(field))
    edges = np.unique(law.ppf(np.linspace(0, 1, 41)[1:-1]))
    p = np.diff(np.concatenate(([0], law.cdf(edges), [1])))
    assert_counts("draws", torch.from_numpy(np.searchsorted(edges, s)), torch.from_numpy(p))


@torch.no_grad()
def test_rates_stop_at_e_16() -> None:
    units = Poisson(2)
    x = torch.tensor([[16.0, 1000.0]])
    assert units.mean(x.clone())[0].tolist() == pytest.approx([math.exp(16)] * 2, rel=1e-6)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(math.exp(16) * (1 + 1 + 984), rel=1e-6)
    s = units.sample(x.clone(), RandomAddress(1, 0))
    assert (s[0] - math.exp(16)).abs().max() < 6 * math.exp(8)  # standard deviations
    assert bool((s == s.round()).all())


@torch.no_grad()
def test_log_partition_of_an_rbm() -> None:
    """Z = sum_h exp(c . h + sum_i exp(b_i + W_i . h)), and p(v) summed over counts is 1."""
    rbm = RBM(Poisson(1), 2, dtype=torch.float64)
    rng = np.random.default_rng(1)
    W, b, c = rng.standard_normal((1, 2)), rng.standard_normal(1), rng.standard_normal(2)
    rbm.weights.copy_(torch.from_numpy(W))
    rbm.visible.bias.copy_(torch.from_numpy(b))
    rbm.hidden.bias.copy_(torch.from_numpy(c))
    Z = sum(math.exp(c @ h + np.exp(b + W @ h).sum()) for h in np.array([[0, 0], [0, 1], [1, 0], [1, 1]]))
    h = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    assert float(torch.logsumexp(rbm.log_weight((None, h), 1), 0)) == pytest.approx(math.log(Z), rel=1e-12)
    v = torch.arange(400, dtype=torch.float64).unsqueeze(-1)
    assert float(torch.logsumexp(rbm.log_weight((v, None)), 0)) == pytest.approx(math.log(Z), rel=1e-12)


def test_refusals() -> None:
    for value in (-1.0, 0.5):
        with pytest.raises(ValueError, match="take the counts 0, 1, 2"):
            Poisson(2).check(torch.tensor([[0.0, value]]), "v")
    with pytest.raises(ValueError, match="no finite list of states"):
        Poisson(2).unit_states()
    with pytest.raises(ValueError, match="no finite list"):
        _ = Poisson(2).count
    assert Poisson(2).log2_count == math.inf
