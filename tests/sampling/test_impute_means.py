"""Conditional means, against sums over all states and by hand."""

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


def test_one_pass_up_and_down_by_hand() -> None:
    """A variable of three states that is there, one of three and one of two that are not; two hidden units."""
    rng = np.random.default_rng(0)
    w, b, c = rng.normal(0, 1, (8, 2)), rng.normal(0, 1, 8), rng.normal(0, 1, 2)
    rbm = hm.RBM(hm.Mixed([hm.Categorical(2, 3), hm.Categorical(1, 2)]), 2, dtype=torch.float64)
    parameters = dict(rbm.named_parameters())
    with torch.no_grad():
        rbm.weights.copy_(torch.from_numpy(w))
        rbm.hidden_bias.copy_(torch.from_numpy(c))
        parameters["layers.0.parts.0.bias"].copy_(torch.from_numpy(b[:6]))
        parameters["layers.0.parts.1.bias"].copy_(torch.from_numpy(b[6:]))
    hidden = 1 / (1 + np.exp(-(w[1] + c)))  # of the first variable's state 1 alone
    x = np.exp(w @ hidden + b)
    expected = np.concatenate(([0, 1, 0], x[3:6] / x[3:6].sum(), x[6:] / x[6:].sum()))
    np.testing.assert_allclose(hm.predict_gaps(rbm, [[1, NAN, NAN]])[0].numpy(), expected, rtol=1e-12)


def test_one_pass_from_nothing_is_that_of_the_biases() -> None:
    rbm = hm.RBM.from_arrays([[1.0, -0.5], [0.3, 0.8]], [0.1, -0.2], [0.2, -0.1])
    hidden = torch.sigmoid(torch.tensor([[0.2, -0.1]]))
    torch.testing.assert_close(hm.predict_gaps(rbm, [[NAN, NAN]]), rbm.visible_mean(hidden))


def test_one_pass_is_for_machines_and_states_in_their_domain() -> None:
    with pytest.raises(TypeError, match=r"model that is an RBM, found OrderlessNADE: use harmonium\.impute"):
        hm.predict_gaps(hm.OrderlessNADE(3), [[0, NAN, 1]])
    with pytest.raises(ValueError, match=r"v has shape \(1, 2\); expected \(batch, 3\)"):
        hm.predict_gaps(hm.RBM(3, 2), [[0, NAN]])
    with pytest.raises(ValueError, match="row 0"):
        hm.predict_gaps(hm.RBM(hm.Categorical(2, 3), 2), [[3, NAN]])
