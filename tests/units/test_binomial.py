"""Counts of successes: tied copies, tails, the base measure."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from harmonium.core.random import RandomAddress
from harmonium.models import RBM
from harmonium.testing.compare import assert_counts
from harmonium.units import Binomial


@torch.no_grad()
def test_two_trials_are_two_tied_copies() -> None:
    """Summed over explicit copies v, v' that share b and W, p(v + v') is that of an RBM with Binomial(n, 2)."""
    n, m = 3, 2
    rng = np.random.default_rng(0)
    W, b, c = rng.standard_normal((n, m)), rng.standard_normal(n), rng.standard_normal(m)
    tied = RBM(Binomial(n, 2), m, dtype=torch.float64)
    copies = RBM.from_arrays(np.concatenate((W, W)), np.concatenate((b, b)), c)
    tied.weights.copy_(torch.from_numpy(W))
    tied.visible.bias.copy_(torch.from_numpy(b))
    tied.hidden.bias.copy_(torch.from_numpy(c))
    totals: dict[tuple[int, ...], float] = {}
    for pair in itertools.product((0, 1), repeat=2 * n):
        weight = math.exp(float(copies.log_weight((torch.tensor([pair], dtype=torch.float64), None))))
        counts = tuple(pair[i] + pair[n + i] for i in range(n))
        totals[counts] = totals.get(counts, 0.0) + weight
    v = tied.visible.states(torch.arange(tied.visible.count))
    found = torch.exp(tied.log_weight((v, None)))
    assert len(totals) == 27
    for state, weight in zip(v.tolist(), found.tolist(), strict=True):
        assert weight == pytest.approx(totals[tuple(int(s) for s in state)], rel=1e-12)
    # the joint energies carry the number of ways
    h = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    one = torch.tensor([[1.0, 1.0, 2.0]], dtype=torch.float64)
    expected = -(one[0].numpy() @ W @ h[0].numpy()) - one[0].numpy() @ b - c[0] - math.log(4)
    assert float(tied.joint_energy((one, h))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("trials", [1, 2, 32, 33, 255, 100_000])
@pytest.mark.parametrize("field", [-9.0, -0.3, 0.0, 2.0, 40.0])
@pytest.mark.parametrize("portable", [False, True])
def test_draws_follow_the_distribution(trials: int, field: float, portable: bool) -> None:
    """Chi-square over cells of at least 5 expected draws; alarm at 1e-6 in each of 60 tests."""
    x = torch.full((20_000, 1), field, dtype=torch.float64).requires_grad_(portable)
    s = Binomial(1, trials, dtype=torch.float64).sample_(x, RandomAddress(3, 1)).detach().numpy()[:, 0]
    law = stats.binom(trials, 1 / (1 + math.exp(-field)))
    edges = np.unique(law.ppf(np.linspace(0, 1, 41)[1:-1]))
    cell = np.searchsorted(edges, s)
    p = np.diff(np.concatenate(([0], law.cdf(edges), [1])))
    assert_counts("draws", torch.from_numpy(cell), torch.from_numpy(p))


@torch.no_grad()
def test_far_out() -> None:
    units = Binomial(4, 50, dtype=torch.float64)
    x = torch.tensor([[-1000.0, 1000.0, -40.0, 40.0]], dtype=torch.float64)
    assert units.mean(x.clone())[0].tolist() == pytest.approx([0, 50, 50 * math.exp(-40), 50], abs=1e-12)
    assert float(units.log_normalizer(x.clone())) == pytest.approx(50 * 1000 + 50 * 40, rel=1e-12)
    assert units.sample(x.clone(), RandomAddress(0, 0))[0].tolist() == [0, 50, 0, 50]
    assert units.log_measure(torch.tensor([[0.0, 50, 1, 25]]))[0].tolist() == pytest.approx(
        [0, 0, math.log(50), math.log(math.comb(50, 25))], abs=1e-12
    )


def test_refusals() -> None:
    for value in (-1.0, 3.0, 0.5):
        with pytest.raises(ValueError, match=r"take the counts 0 \.\.\. 2"):
            Binomial(2, 2).check(torch.tensor([[0.0, value]]), "v")
    for trials in (0, 1.0, True, 1 << 21):
        with pytest.raises(ValueError, match=r"trials=.* positive integer"):
            Binomial(2, trials)  # type: ignore[arg-type]
