"""Conditional means, against sums over all states."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import harmonium as hm

NAN = float("nan")


@pytest.mark.parametrize("seed", [0, 1])
def test_binary_means_are_those_of_the_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rbm = hm.RBM.from_arrays(rng.normal(0, 1, (4, 3)), rng.normal(0, 1, 4), rng.normal(0, 1, 3))
    v = [[1, NAN, 0, NAN]]
    states = torch.tensor([[1, a, 0, b] for a, b in itertools.product((0, 1), repeat=2)], dtype=torch.float64)
    weight = torch.softmax(-rbm.free_energy(states), 0).double()
    exact = (weight @ states)[[1, 3]]
    found = hm.impute(rbm, v, mean=True, sweeps=4000, samples=10, seed=seed)[0].double()
    # 20,000 means of two gaps, of a deviation below 0.5 and correlated over a few sweeps: five standard errors.
    torch.testing.assert_close(found[[1, 3]], exact, rtol=0, atol=0.02)
    assert found[[0, 2]].tolist() == [1, 0]


def test_categories_become_the_most_probable_one_and_real_values_their_mean() -> None:
    rbm = hm.RBM(hm.Mixed([hm.Categorical(1, 3), hm.Gaussian(1)]), 1)
    parameters = dict(rbm.named_parameters())
    with torch.no_grad():
        parameters["layers.0.parts.0.bias"].copy_(torch.tensor([0.0, 0.0, 5.0]))
        parameters["layers.0.parts.1.bias"].fill_(1.5)
        rbm.weights.zero_()
    assert hm.impute(rbm, [[NAN, NAN]], mean=True, sweeps=10).tolist() == [[2.0, 1.5]]
