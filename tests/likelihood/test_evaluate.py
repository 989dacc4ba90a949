"""The likelihood protocol: kinds, brackets, errors over cases."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.data import as_cases
from harmonium.data.cases import Standardization
from harmonium.likelihood.evaluate import affordable
from harmonium.likelihood.partition import LogPartition
from harmonium.models import RBM

Make = Callable[..., RBM]


def cases(rows: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (rows, n))


def test_mean_and_standard_error(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(2500, 4)
    found = hm.evaluate(rbm, v)
    log_p = rbm.log_prob(v, hm.log_partition(rbm)).detach().numpy()
    assert found.mean == pytest.approx(log_p.mean(), rel=1e-12)
    assert found.stderr == pytest.approx(log_p.std(ddof=1) / 50, rel=1e-9)
    assert (found.lower, found.upper) == (found.mean, found.mean)  # to the bit: a mean lies within its bracket
    assert (found.method, found.reliable, found.cases) == ("exact", True, 2500)
    assert str(found) == f"log-likelihood {found.mean:.2f} nats per case (+- {found.stderr:.2f} over 2500 cases), exact"
    assert hm.evaluate(rbm, v[:1]).stderr == 0


def test_bounds_of_log_z_change_sides(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(50, 4)
    z = LogPartition(
        5.0,
        4.5,
        7.0,
        50.0,
        "ais",
        False,
        "because",
    )
    found = hm.evaluate(rbm, v, log_partition=z)
    free = -rbm.free_energy(v).detach().mean().item()
    assert found.mean == pytest.approx(free - 5.0)
    assert found.lower == pytest.approx(free - 7.0)
    assert found.upper == pytest.approx(free - 4.5)
    assert (found.reliable, found.method, found.why) == (False, "ais", "because") and found.log_partition is z
    assert "log Z NOT reliable: because" in str(found) and f"[{found.lower:.2f}, {found.upper:.2f}] by ais" in str(
        found
    )
    endless = hm.evaluate(rbm, v, log_partition=LogPartition(5.0, 4.5, math.inf, 50.0, "ais", False, ""))
    assert endless.lower == -math.inf and math.isfinite(endless.upper)


def test_options_reach_log_partition(make_rbm: Make) -> None:
    rbm, v = make_rbm(4, 3), cases(50, 4)
    found = hm.evaluate(rbm, v, method="ais", temperatures=10, chains=20, seed=3)
    assert found.log_partition == hm.log_partition(rbm, "ais", temperatures=10, chains=20, seed=3)


def test_densities_carry_the_jacobian() -> None:
    """Standardised columns: the density is that of the original values, checked by integrating it."""
    rbm = hm.RBM(hm.Gaussian(1), 2, dtype=torch.float64)
    with torch.no_grad():
        rbm.weights.copy_(torch.tensor([[1.0, -0.7]]))
        rbm.visible.bias.fill_(0.3)
    z = hm.log_partition(rbm)
    x = np.linspace(-40, 60, 301)[:, None]
    standard = Standardization(np.array([10.0]), np.array([5.0]))
    data = as_cases(x).derive(standard=standard)
    assert hm.evaluate(rbm, data).mean == pytest.approx(hm.evaluate(rbm, (x - 10) / 5).mean - np.log(5), rel=1e-6)
    density = [
        np.exp(hm.evaluate(rbm, as_cases(x[i : i + 1]).derive(standard=standard), log_partition=z).mean)
        for i in range(301)
    ]
    assert sum(density) * (x[1, 0] - x[0, 0]) == pytest.approx(1, rel=1e-5)


def test_refusals(make_rbm: Make) -> None:
    rbm = make_rbm(4, 3)
    with pytest.raises(ValueError, match="data has 5 columns; the model has 4 visible units"):
        hm.evaluate(rbm, cases(3, 5))
    grey = cases(2000, 4).astype(float)
    grey[1500, 2] = 0.25
    with pytest.raises(ValueError, match=r"data has the value 0.25 in row 1500, column 2.*binarisation"):
        hm.evaluate(rbm, grey)


def test_pseudo_likelihood(make_rbm: Make) -> None:
    """sum_i log p(v_i | rest) from the table of all states."""
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        rbm = make_rbm(5, 3, dtype=dtype)
        v = np.array(list(itertools.product([0, 1], repeat=5)), dtype=float)
        log_p = {tuple(row): float(x) for row, x in zip(v, rbm.log_prob(v, 0.0).detach(), strict=True)}
        expected = []
        for row in v:
            total = 0.0
            for i in range(5):
                other = row.copy()
                other[i] = 1 - other[i]
                total -= np.logaddexp(0, log_p[tuple(other)] - log_p[tuple(row)])
            expected.append(total)
        found = hm.likelihood.pseudo_log_likelihood(rbm, v)
        assert found.dtype == torch.float64 and found.numpy() == pytest.approx(expected, rel=tolerance)
    independent = RBM.from_arrays(np.zeros((5, 3)), np.arange(5.0) - 2, np.zeros(3))
    z = hm.log_partition(independent)
    assert hm.likelihood.pseudo_log_likelihood(independent, v).numpy() == pytest.approx(
        independent.log_prob(v, z).detach().numpy(), rel=1e-6
    )
    with pytest.raises(ValueError, match="finitely many states"):
        hm.likelihood.pseudo_log_likelihood(hm.RBM(hm.Gaussian(2), 2), np.zeros((1, 2)))


def test_wide_models_are_judged_by_fewer_steps() -> None:
    wide = hm.RBM(100_000, 30)
    few = int(5e11 / (2 * 200 * (100_000 * 30 + 100_030)))
    assert affordable(wide) == {"sweeps": few}  # without chains: by tempering
    wide.chains = torch.zeros(2, 100_000)
    assert affordable(wide) == {"temperatures": few, "sweeps": few}
    for usual in (hm.RBM(784, 500), hm.RBM(400_000, 10), hm.NADE(784, 20)):  # small, enumerated, normalised
        assert affordable(usual) == {}
