"""Normal distributions of cases with gaps, against SciPy and the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from harmonium.models.autoregressive.normal import log_normal, normal_covariance, regression

COVARIANCE = torch.tensor([[1.0, 0.8, 0.2], [0.8, 2.0, -0.5], [0.2, -0.5, 0.5]], dtype=torch.float64)
SEEN = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


def test_regression_is_that_of_a_conditional_normal_distribution() -> None:
    weights, spread = regression(SEEN[:1], COVARIANCE)
    c = COVARIANCE.numpy()
    both = np.ix_([0, 2], [0, 2])
    slope = np.linalg.solve(c[both], c[[0, 2], 1])
    assert weights[0, [0, 2], 1].numpy() == pytest.approx(slope, abs=1e-4)  # a ridge of 1e-6 is added
    assert float(weights[0, 1, 1]) == 0
    assert float(spread[0, 1, 1]) == pytest.approx(c[1, 1] - c[1, [0, 2]] @ slope, abs=1e-4)
    nothing, prior = regression(SEEN[2:3], COVARIANCE)
    assert float(nothing.abs().max()) == 0 and torch.equal(prior[0], COVARIANCE)


def test_log_density_of_what_is_there() -> None:
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3)))
    found = log_normal(z, SEEN > 0, COVARIANCE)
    for row, seen, value in zip(z.numpy(), SEEN.numpy() > 0, found.tolist(), strict=True):
        part = COVARIANCE.numpy()[np.ix_(seen, seen)]
        expected = stats.multivariate_normal(np.zeros(seen.sum()), part).logpdf(row[seen]) if seen.any() else 0.0
        assert value == pytest.approx(expected, abs=1e-4)


def test_covariance_is_found_through_gaps_that_depend_on_what_is_there() -> None:
    rng = np.random.default_rng(1)
    z = rng.multivariate_normal(np.zeros(3), COVARIANCE.numpy(), 20_000)
    there = np.ones(z.shape, bool)
    there[:, 1] = (z[:, 0] < 0.5) | (rng.random(len(z)) < 0.1)  # the second is mostly gone where the first is large
    there[:, 2] = rng.random(len(z)) < 0.7
    found = normal_covariance(torch.from_numpy(z), torch.from_numpy(there)).numpy()
    # Four standard errors of 20,000 cases are 0.06 for the variance of 2; moments of what is there are 0.3 off.
    assert np.abs(found - COVARIANCE.numpy()).max() < 0.06
    part = z[there[:, 1], 1]
    assert abs((part**2).mean() - 2.0) > 0.1
    steps = [normal_covariance(torch.from_numpy(z[:500]), torch.from_numpy(there[:500]))]
    value = float(log_normal(torch.from_numpy(z[:500]), torch.from_numpy(there[:500]), steps[0]).mean())
    truth = float(log_normal(torch.from_numpy(z[:500]), torch.from_numpy(there[:500]), COVARIANCE).mean())
    assert value >= truth  # the maximum of the likelihood of these cases
