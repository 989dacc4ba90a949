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
    assert np.abs(odds[0, 40:].double().numpy() - expected).max() < 1e-3
    assert float(odds[0, :40].abs().max()) == 0.0


def test_a_pass_step_by_step_is_the_pass_as_a_whole() -> None:
    network = CopulaNetwork(13, 3, 13, (6, 5), [scores_of(np.full(8, 1 / 8)), None, scores_of(np.array([0.3, 0.7]))],
                            [4, 0, 0], dtype=torch.float64)  # fmt: skip
    network.place([8, 3, 2])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    network.covariance.copy_(torch.tensor([[0.9, 0.5], [0.5, 0.6]], dtype=torch.float64))
    units = [slice(0, 8), slice(8, 11), slice(11, 13)]
    v, mask = torch.zeros(4, 13, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    steps = network.incremental(v, mask)
    for column, own in ((2, units[2]), (0, units[0]), (1, units[1])):
        for other in units:
            torch.testing.assert_close(steps.logits(other), network(v, mask)[:, other])
        rows = torch.tensor([True, True, False, True])
        values = torch.eye(own.stop - own.start, dtype=torch.float64)[torch.arange(4) % (own.stop - own.start)]
        steps.set_units(column, own, values, rows)
        v[rows, own] = values[rows]
        mask[rows, column] = 1.0
