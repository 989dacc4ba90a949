"""A Gaussian copula below a network: margins and conditionals of the untrained one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import ndtri

from harmonium.models.autoregressive.copula import CopulaNetwork


def scores_of(share: np.ndarray) -> list[float]:
    return [float(z) for z in ndtri(np.cumsum(share) - share / 2)]


@pytest.mark.parametrize("share", [[0.9, 0.1], [0.99, 0.01], [0.7, 0.1, 0.1, 0.1], [0.02] * 50])
def test_nothing_observed_leaves_the_base_rate(share: list[float]) -> None:
    counts = (1000 * np.array(share)).round().astype(int)
    states = torch.eye(len(share)).repeat_interleave(torch.from_numpy(counts), 0)
    v = torch.cat((states, torch.zeros(len(states), 2)), 1)
    network = CopulaNetwork(v.shape[1], 2, v.shape[1], (4,), [scores_of(np.array(share)), None])
    network.place([len(share), 2])
    network.estimate(v, v)
    _, odds = network.copula(torch.zeros(1, v.shape[1]), torch.zeros(1, 2))
    own = odds[0, : len(share)]
    assert float(own.max() - own.min()) < 1e-4


def test_conditionals_are_those_of_a_normal_distribution() -> None:
    share = np.full(40, 1 / 40)
    network = CopulaNetwork(80, 2, 80, (4,), [scores_of(share)] * 2)
    network.place([40, 40])
    network.covariance.copy_(torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    v, mask = torch.zeros(1, 80), torch.tensor([[1.0, 0.0]])
    v[0, 30] = 1.0
    _, odds = network.copula(v, mask)
    z, seen = np.array(scores_of(share)), scores_of(share)[30]
    variance = 1 - 0.64 + float(network.within[1])
    expected = -((z - 0.8 * seen) ** 2) / (2 * variance) + z**2 / (2 * (1 + float(network.within[1])))
    assert np.abs(np.diff(odds[0, 40:].double().numpy() - expected)).max() < 1e-3
    assert float(odds[0, :40].abs().max()) == 0.0
