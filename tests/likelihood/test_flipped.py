from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import harmonium as hm
from harmonium.likelihood import pseudo
from harmonium.likelihood.flipped import can_flip, flipped_log_likelihood


@pytest.mark.parametrize("hidden", [1, 7, 33, 70])
def test_binary_cases_have_the_pseudo_likelihood(
    make_rbm: Callable[..., hm.RBM], hidden: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rbm = make_rbm(6, hidden)
    v = rbm.visible.states(torch.arange(64))
    compiled = hm.likelihood.pseudo_log_likelihood(rbm, v)
    assert torch.equal(compiled, flipped_log_likelihood(rbm, v))
    monkeypatch.setattr(pseudo, "can_flip", lambda model: False)
    torch.testing.assert_close(compiled, hm.likelihood.pseudo_log_likelihood(rbm, v), rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "model",
    [
        hm.RBM(hm.Spin(3), 2),
        hm.RBM(3, hm.Binomial(2, 3)),
        hm.BoltzmannMachine(3, 2),
        hm.RBM.from_arrays(np.zeros((2, 3, 2)), np.zeros((2, 3)), np.zeros((2, 2))),
        hm.RBM.from_arrays([[800.0]], [0.0], [0.0]),
    ],
    ids=["spins", "counts", "lateral weights", "batched", "weights past e^w in float64"],
)
def test_other_machines_take_the_general_sum(model: hm.RBM) -> None:
    assert not can_flip(model)


def flips(rbm: hm.RBM, v: torch.Tensor) -> torch.Tensor:
    """The definition, one flip at a time."""
    total = torch.zeros(len(v), dtype=torch.float64)
    for i in range(v.shape[1]):
        other = v.clone()
        other[:, i] = 1 - v[:, i]
        total += torch.nn.functional.logsigmoid(rbm.free_energy(other) - rbm.free_energy(v)).detach()
    return total


@pytest.mark.parametrize("scale", [1.0, 15.0, 150.0])
def test_greys_and_large_weights_follow_the_definition(make_rbm: Callable[..., hm.RBM], scale: float) -> None:
    # Weights of 150 leave one factor to a logarithm, of 15 a few.
    rbm = make_rbm(5, 40, scale=scale)
    v = torch.rand(20, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(flipped_log_likelihood(rbm, v), flips(rbm, v), rtol=1e-9, atol=1e-9)


def test_saturated_units_lose_no_digits() -> None:
    # p(h = 0 | v) = 4e-18 is no 1 - p(h = 1 | v): without the unit's own small number the answer would be off by 40.
    rbm = hm.RBM.from_arrays(*(torch.tensor(a, dtype=torch.float64) for a in ([[-45.0]], [0.0], [40.0])))
    v = torch.zeros(1, 1, dtype=torch.float64)
    torch.testing.assert_close(flipped_log_likelihood(rbm, v), flips(rbm, v), rtol=1e-12, atol=0)
