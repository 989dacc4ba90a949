"""Chains against data, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from harmonium.core.random import Stream
from harmonium.diagnostics.data_comparison import resemblance
from harmonium.models import RBM
from harmonium.testing.joint import Joint, start_at

from .helpers import far_modes, in_modes


def exact(rbm: RBM, rows: int, seed: int) -> Tensor:
    v = start_at(Joint(rbm), rows, Stream(seed))[0]
    assert v is not None
    return v


def model(seed: int = 0) -> RBM:
    rng = np.random.default_rng(seed)
    return RBM.from_arrays(2 * rng.standard_normal((8, 4)), rng.standard_normal(8), rng.standard_normal(4))


def test_draws_of_one_model_resemble_each_other() -> None:
    """20 models; 8 means each at 4.5 standard errors.  Where little varies pairs are noise: hence their median."""
    pairs = []
    for seed in range(20):
        rbm = model(seed)
        found = resemblance(rbm, exact(rbm, 1000, seed).view(10, 100, 8), exact(rbm, 2000, seed + 100))
        assert found.worst < 4.5 and found.means > 0.99 and not found.pairs_differ
        assert found.shift < 0.25
        pairs.append(found.pairs)
    assert np.median(pairs) > 0.9


def test_one_unit_off_is_named() -> None:
    rbm = model()
    states = exact(rbm, 1000, 0)
    states[:, 5] = 1 - states[:, 5]
    found = resemblance(rbm, states.view(10, 100, 8), exact(rbm, 2000, 1))
    assert found.worst_variable == 5 and found.worst > 10 and found.means < 0.99


def test_the_error_is_that_of_independent_chains() -> None:
    """Ten copies of the same states are no new evidence."""
    rbm = model()
    states, data = exact(rbm, 50, 0), exact(rbm, 1000, 1)
    once = resemblance(rbm, states.unsqueeze(0), data)
    assert resemblance(rbm, states.expand(10, 50, 8), data).worst == pytest.approx(once.worst)
    difference = states.mean(0) - data.mean(0)
    z = difference / (states.var(0) / 50 + data.var(0) / 1000).sqrt()
    assert once.worst == pytest.approx(float(z.abs().max()))


def test_units_that_vary_together_otherwise() -> None:
    """In one of two modes the means of each mode are kept, the pairs are lost."""
    data = in_modes(1000, 0.5)
    assert not resemblance(far_modes(), in_modes(1000, 0.5, seed=1).view(10, 100, 20), data).pairs_differ
    columns = in_modes(1000, 0.5, seed=1)
    rng = np.random.default_rng(0)
    mixed = torch.stack([columns[torch.as_tensor(rng.permutation(1000)), j] for j in range(20)], 1)
    rbm = model()
    two = data[:, :8].clone()
    two[:, 4:] = torch.as_tensor(rng.integers(0, 2, (1000, 4)).astype(float))  # some pairs covary, others do not
    found = resemblance(rbm, mixed[:, :8].view(10, 100, 8), two)
    assert found.pairs_of_halves > 0.9 and found.pairs_differ


def test_the_distance_of_free_energies_is_in_nats() -> None:
    """Without couplings F = -b.v: moving from all zeros to all ones costs the sum of the biases."""
    rbm = RBM.from_arrays(np.zeros((4, 2)), np.full(4, -0.5), np.zeros(2))
    zeros, ones = torch.zeros(1, 20, 4, dtype=torch.float64), torch.ones(30, 4, dtype=torch.float64)
    found = resemblance(rbm, zeros, ones)
    assert found.distance == pytest.approx(2.0) and found.shift == float("inf")
    here, there = found.free_energies
    assert (len(here), len(there)) == (20, 30) and float(there[0] - here[0]) == pytest.approx(2.0)
    assert np.isnan(found.means)  # all the same
