"""Autocorrelation times of processes where they are known."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from harmonium.diagnostics.convergence import autocorrelation, summarise


def autoregressive(phi: float, chains: int = 40, sweeps: int = 2000, seed: int = 0) -> Tensor:
    """x_t = phi x_(t-1) + noise, from its stationary distribution: rho_t = phi^t, tau = (1 + phi) / (1 - phi)."""
    rng = np.random.default_rng(seed)
    x = np.empty((chains, sweeps))
    x[:, 0] = rng.standard_normal(chains)
    for t in range(1, sweeps):
        x[:, t] = phi * x[:, t - 1] + math.sqrt(1 - phi * phi) * rng.standard_normal(chains)
    return torch.as_tensor(x)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_the_autocorrelation_time_is_that_of_theory(phi: float) -> None:
    """80,000 values; the spread of tau over seeds is 1 to 3 %, so that 10 % are three standard errors and more."""
    found = summarise("x", autoregressive(phi))
    tau = (1 + phi) / (1 - phi)
    assert found.tau == pytest.approx(tau, rel=0.1)
    assert found.ess == pytest.approx(80000 / tau, rel=0.1)
    assert found.rhat < 1.01 and found.mixed and found.name == "x"


def test_tau_is_that_of_the_values_and_not_of_their_ranks() -> None:
    """exp(1.5 x) forgets faster than x: rho_t = (exp(2.25 phi^t) - 1) / (exp(2.25) - 1)."""
    rho = (np.exp(2.25 * 0.9 ** np.arange(1, 300)) - 1) / (np.exp(2.25) - 1)
    x = torch.exp(1.5 * autoregressive(0.9, chains=400))
    assert summarise("x", x).tau == pytest.approx(1 + 2 * rho.sum(), rel=0.15)  # 10.2, and 19 for x; heavy tails


def test_the_variance_of_the_mean_is_that_of_so_many_draws() -> None:
    """tau as it is used: the mean over T sweeps of one chain has the variance tau / T."""
    x = autoregressive(0.8, chains=2000, sweeps=500)
    tau = summarise("x", x).tau
    assert float(x.mean(1).var()) == pytest.approx(tau / 500, rel=0.15)  # of 2,000 means: 3 %; tau itself: 3 %


def test_the_autocorrelation_falls_geometrically() -> None:
    rho = autocorrelation(autoregressive(0.7))
    assert rho.shape == (2000,)
    assert rho[:6] == pytest.approx(0.7 ** np.arange(6), abs=0.03)


def test_chains_that_stay_apart_remember() -> None:
    """Half of the chains about -3, half about 3: what they share of the variance is never forgotten."""
    x = autoregressive(0.0) + torch.where(torch.arange(40) % 2 == 0, -3.0, 3.0).unsqueeze(-1)
    found = summarise("x", x)
    assert found.rhat > 1.5 and not found.mixed and found.tau > 500
    # Ranks make two groups of a 40-chain sample, whose ESS cannot be more than a few per chain.
    assert found.ess < 200
    assert autocorrelation(x)[1:100].mean() == pytest.approx(9.23 / 10.23, abs=0.02)  # var of +-3 over 40 chains: 9.23


def test_chains_that_never_move() -> None:
    frozen = torch.arange(5.0).unsqueeze(-1).expand(5, 50)
    found = summarise("x", frozen)
    assert (found.tau, found.ess, found.rhat) == (math.inf, 0.0, math.inf) and not found.mixed
    assert (autocorrelation(frozen) == 1).all()
    some = torch.arange(5.0).unsqueeze(-1) + torch.zeros(5, 50)
    some[0] = autoregressive(0.0, 1, 50)[0]
    assert summarise("x", some).rhat > 1.5  # and no warning


def test_a_constant_is_known() -> None:
    found = summarise("x", torch.full((5, 50), 0.3))
    assert found == ("x", pytest.approx(0.3), 1.0, 250.0, 1.0)


def test_arviz_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    with pytest.raises(ImportError, match=r"diagnostics need arviz-stats: pip install 'harmonium\[diagnostics\]'"):
        summarise("x", autoregressive(0.0))
