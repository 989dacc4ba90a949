"""The base-rate model that `log_partition` is told: means, cases, or natural parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood.base import as_base

ROWS = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 1]])
MEANS = ROWS.mean(0)


def test_means_are_those_of_the_base() -> None:
    visible, hidden = as_base(hm.RBM(4, 3, dtype=torch.float64), MEANS)
    np.testing.assert_allclose(torch.sigmoid(visible[0]), MEANS, atol=1e-4)  # smoothed as if by one case in 10,000
    assert hidden[0].tolist() == [0, 0, 0]


def test_cases_give_their_moments() -> None:
    visible, _ = as_base(hm.RBM(hm.Gaussian(2), 3, dtype=torch.float64), [[0.0, 1.0], [2.0, 5.0]])
    variance = -0.5 / visible[1]
    np.testing.assert_allclose(variance, [1.0, 4.0], rtol=1e-12)
    np.testing.assert_allclose(visible[0] * variance, [1.0, 3.0], rtol=1e-12)
    shares, _ = as_base(hm.RBM(hm.Categorical(1, 3), 2, dtype=torch.float64), [[0], [2], [2], [2]])
    np.testing.assert_allclose(shares[0].exp(), (np.array([1, 0, 3]) + 1 / 3) / 5, rtol=1e-12)


def test_pictures_of_means_are_means() -> None:
    rbm = hm.RBM((2, 2), 3)
    assert torch.equal(as_base(rbm, MEANS.reshape(2, 2))[0][0], as_base(rbm, MEANS)[0][0])


@pytest.mark.parametrize("method", ["ais", "tempering"])
@pytest.mark.parametrize("base", [MEANS, torch.tensor(MEANS), ROWS, ROWS.reshape(4, 2, 2), hm.data.as_cases(ROWS)])
def test_log_partition_takes_them_all(method: str, base: Any) -> None:
    rbm = hm.RBM.from_arrays(np.array([[1.0, -1.0], [0.5, 0.5], [-1.0, 1.0], [0.0, 2.0]]), np.zeros(4), np.ones(2))
    exact = hm.log_partition(rbm, "exact").value
    found = hm.log_partition(rbm, method, base=base, chains=50, temperatures=100) if method == "ais" else (
        hm.log_partition(rbm, method, base=base, chains=5, sweeps=100)
    )  # fmt: skip
    assert found.value == pytest.approx(exact, abs=0.2)  # a few hundredths by chance, with so few chains


def test_natural_parameters_are_taken_as_they_are() -> None:
    rbm = hm.RBM(4, 3)
    natural = ((torch.ones(4),), (torch.zeros(3),))
    assert as_base(rbm, natural) is not None and as_base(rbm, natural)[0][0] is natural[0][0]


@pytest.mark.parametrize(
    ("model", "base", "advice"),
    [
        (hm.RBM(4, 3), np.zeros(5), r"base has shape \(5,\); expected the means of the visible units \(4,\), cases"),
        (hm.RBM(4, 3), np.full((2, 4), 0.5), "base has the value 0.5"),
        (hm.RBM(4, 3), [0.5, 0.5, float("nan"), 0.5], "base is not finite"),
        (hm.RBM(4, 3), ((torch.zeros(4),),), "natural parameters of 1 layers; expected those of visible, hidden"),
        (hm.RBM(hm.Categorical(4, 3), 3), MEANS, r"some are categories: pass cases \(n, 4\)"),
        (hm.RBM(hm.Gaussian(4), 3), MEANS, r"knows no variances .*: pass cases \(n, 4\)"),
        (hm.RBM(4, 3), MEANS + 1, "means that Bernoulli.* cannot have"),
    ],
)
def test_what_is_no_base_is_refused(model: Any, base: Any, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        hm.log_partition(model, "ais", base=base)
